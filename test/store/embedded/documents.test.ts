import { documentsContract } from '../contract/documents.ts';
import { documentsModel } from '../contract/documents-model.ts';
import { embeddedDocuments } from '../contract/fixture.ts';

documentsContract(embeddedDocuments);
documentsModel(embeddedDocuments);
