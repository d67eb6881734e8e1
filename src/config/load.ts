import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { Config } from '../../generated/tollgate/config/v1/config.ts';
import { checkAuthentication } from './check-authentication.ts';
import { checkBackends } from './check-backends.ts';
import { createFileCheck } from './check-context.ts';
import { checkIdentities } from './check-identities.ts';
import { checkListeners } from './check-listeners.ts';
import { checkReferences } from './check-references.ts';
import { checkRules } from './check-rules.ts';
import { checkStore } from './check-store.ts';
import { checkTelemetry } from './check-telemetry.ts';
import { checkPlans, checkTenants, type Environment } from './check-tenants.ts';
import { ConfigError } from './config-error.ts';
import { readMessage } from './read-message.ts';
import { type ConfigSchema, readConfigSchema } from './schema.ts';
import { ConfigSource } from './source.ts';

/** A configuration that holds together, as far as that can be told without compiling its contracts. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute; relative paths in `config` start here. */
  readonly baseDir: string;
  /** Places of values, for what is found wrong later on. */
  readonly source: ConfigSource;
}

export interface ParseOptions {
  /** For keys that are taken `from_env`. */
  readonly env: Environment;
  /** What relative paths are relative to; by default the folder of the file. */
  readonly baseDir?: string | undefined;
}

/**
 * Reads a configuration file.
 *
 * @throws ConfigError with every complaint there is, each with file, line and column.
 */
export function loadConfig(path: string, options: ParseOptions): LoadedConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = reason === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${reason})`;
    throw new ConfigError([
      { file: path, line: undefined, column: undefined, message, hint: 'name one: serve --config FILE, check FILE' },
    ]);
  }
  return parseConfig(text, path, options);
}

/**
 * Reads the text of a configuration file.
 *
 * @param fileName as complaints name it.
 * @throws ConfigError
 */
export function parseConfig(text: string, fileName: string, options: ParseOptions): LoadedConfig {
  const baseDir = resolve(options.baseDir ?? dirname(fileName));
  const source = new ConfigSource(text, fileName);
  // After a syntax error the tree is a guess, and complaints about it would be too.
  if (source.complaints.length > 0) throw new ConfigError(source.complaints);
  const schema = readConfigSchema();
  const config = toConfig(source, schema, readRoot(source, schema));
  const context = { source, files: createFileCheck(source, baseDir) };
  checkListeners(context, config);
  checkBackends(context, config);
  checkReferences(source, config);
  checkStore(context, config, options.env);
  checkPlans(context, config);
  checkTenants(context, config, options.env);
  checkIdentities(context, config);
  checkAuthentication(context, config);
  checkTelemetry(context, config, options.env);
  if (source.complaints.length > 0) throw new ConfigError(source.complaints);
  return { config, baseDir, source };
}

/** A configuration that was made by a program: no file, no places, and taken as it is. */
export function trustConfig(config: Config, baseDir: string): LoadedConfig {
  return { config, baseDir: resolve(baseDir), source: new ConfigSource('', '') };
}

function readRoot(source: ConfigSource, schema: ConfigSchema): JsonObject {
  if (source.root === undefined) return {};
  return readMessage(source, source.root, schema.message, []);
}

/** Through the JSON mapping into a message, on which the schema's rules are checked, and from there into our types. */
function toConfig(source: ConfigSource, schema: ConfigSchema, json: JsonObject): Config {
  const message = fromJson(schema.message, json, { registry: schema.registry });
  checkRules(source, schema.registry, schema.message, message);
  return Config.decode(toBinary(schema.message, message));
}
