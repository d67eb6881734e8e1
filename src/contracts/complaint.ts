/** Something that is wrong with what a person wrote, and where. Lines and columns count from 1. */
export interface Complaint {
  /** As the person would name it; empty when no file is to blame. */
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** What is wrong. */
  readonly message: string;
  /** What would be right. */
  readonly hint: string | undefined;
}

/** `tollgate.yaml:3:5: unknown key "adress"; did you mean "address"?` */
export function formatComplaint(complaint: Complaint): string {
  const place = [complaint.file, complaint.line, complaint.column].filter((part) => part !== undefined && part !== '');
  const text = complaint.hint === undefined ? complaint.message : `${complaint.message}; ${complaint.hint}`;
  return place.length === 0 ? text : `${place.join(':')}: ${text}`;
}
