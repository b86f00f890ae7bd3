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
var url = require('node:url')
// The installed package brings JavaScript; a checkout is run as it is.
var built = path.join(__dirname, '..', 'dist', 'cli.js')
var source = path.join(__dirname, '..', 'cli.ts')
import(url.pathToFileURL(fs.existsSync(source) ? source : built).href).catch(function (error) {
  console.error(error)
  process.exit(1)
})
