/** Where the simulator is found by whom it answers or tells. */
export interface Addresses {
  /** Root of the API as it was addressed, with /api/v3 when that was used. */
  api: string
  /** Root of the pages. */
  pages: string
}
