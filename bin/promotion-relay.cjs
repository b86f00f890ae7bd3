#!/usr/bin/env node
// biome-ignore-all lint/style/useTemplate: an old Node reads this
// biome-ignore-all lint/complexity/useArrowFunction: an old Node reads this
// biome-ignore-all lint/suspicious/noConsole: there is no log yet
// The launcher: plain JavaScript that any Node reads, so that an old one is told what is needed.
'use strict'
var needed = [22, 18]
var have = process.versions.node.split('.').map(Number)
if (have[0] < needed[0] || (have[0] === needed[0] && have[1] < needed[1])) {
  console.error(
    'promotion-relay needs Node ' + needed.join('.') + ' or later; this is ' + process.version + '.',
  )
  process.exit(2)
}
var path = require('node:path')
var fs = require('node:fs')
var nodeModule = require('node:module')
var url = require('node:url')
var root = path.join(__dirname, '..')
var program = path.join(root, 'dist', 'cli.js')
var source = path.join(root, 'cli.ts')
// The installed package brings JavaScript. A checkout is run as it is; what Node makes of its TypeScript is kept beside
// the dependencies, so that the next start takes half as long and 30 MB less.
if (fs.existsSync(source)) {
  program = source
  nodeModule.enableCompileCache(path.join(root, 'node_modules', '.cache', 'promotion-relay'))
}
import(url.pathToFileURL(program).href).catch(function (error) {
  console.error(error)
  process.exit(1)
})
