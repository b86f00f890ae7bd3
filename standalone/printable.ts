/** What GitHub says comes from outside: nothing of it may steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}
