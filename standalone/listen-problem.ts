/** Why a port can't be listened on, in a line that says what to do. @throws what is no such fault. */
export function listenProblem(error: unknown, name: 'PORT' | 'WORKER_PORT'): string {
  const { code, port = 0, address } = error as { code?: string; port?: number; address?: string }
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is taken: end what uses it, or choose another one, e.g. ${name}=${port < 65_000 ? port + 10 : 8090}`
    case 'EACCES':
      return `port ${port} is not for this user: choose one above 1023, e.g. ${name}=8080`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST is no address of this machine${address === undefined ? '' : ` (${address})`}: 127.0.0.1 is, and 0.0.0.0 is all of them`
    default:
      throw error
  }
}
