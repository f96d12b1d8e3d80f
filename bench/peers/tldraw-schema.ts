import {
  createRecordType,
  StoreSchema,
  type BaseRecord,
  type RecordId,
  type RecordType,
} from '@tldraw/store';

import type { Cell } from '../race/contender.ts';

/** A row: a document with its Cells. */
export interface RowRecord extends BaseRecord<'row', RecordId<RowRecord>> {
  readonly cells: Readonly<Record<string, Cell>>;
}

export const rowType: RecordType<RowRecord, 'cells'> = createRecordType<RowRecord>('row', {
  scope: 'document',
});

export const schema: StoreSchema<RowRecord> = StoreSchema.create<RowRecord>({ row: rowType });
