/** How long each of the fleet's loads lasts: `FLEET_SECONDS=30 npx vitest run test/fleet` for the long form. */
export const SECONDS: number = Number(process.env.FLEET_SECONDS ?? 3);
