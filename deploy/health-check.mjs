// The image's health check: one of the two, server or worker, runs in the container and answers.
// Whether Redis answers is left to /readyz: a restart of this process would not mend it.
const { PORT = 8080, WORKER_PORT = 8081 } = process.env
const answers = [PORT, WORKER_PORT].map(async (port) => {
  const { ok } = await fetch(`http://127.0.0.1:${port}/healthz`)
  if (!ok) throw new Error(`port ${port} is not healthy`)
})
await Promise.any(answers)
