/** The package has types, and does not say where. */
declare module 'cluster-key-slot' {
  /** The slot of a Cluster that a key lies in, by its hash tag. */
  const calculateSlot: (key: string) => number;
  export = calculateSlot;
}
