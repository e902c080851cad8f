import { writeFileSync, chmodSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { makeLog } from '#base/log.ts'
import { systemClock } from '#base/clock.ts'
import { startDiskPool } from './pool.ts'
import { makeFakeKms } from './fake-kms.ts'
const kms = makeFakeKms()
const pool = await startDiskPool({
  dataFolder: process.argv[2] ?? '/tmp/kw/data',
  host: '127.0.0.1',
  tcpPort: 0,
  processCount: 1,
  accessSecret: randomBytes(32),
  log: makeLog('info'),
  clock: systemClock,
  kms,
  onRestart: () => {},
})
const crn = 'crn:v1:bluemix:public:is:us-south:a/b::volume:v1'
const volume = {
  volumeId: 'v1-' + Date.now(),
  volumeCrn: crn,
  capacityBytes: Number(process.argv[3] ?? 1024) * 1024 * 1024,
  keyCrn: 'k',
  wrappedDataKey: kms.wrapNewKey(crn),
  as: { kind: 'service' as const, serviceName: 'server-protect', accountId: 'b' },
}
await pool.port.createVolume(volume)
await pool.port.addExport({ attachmentId: 'att-1', volume })
const c = await pool.port.connect(volume.volumeId, 'att-1', 3600_000)
writeFileSync('/tmp/kw/psk', `${c.pskIdentity}:${c.pskKey}\n`)
chmodSync('/tmp/kw/psk', 0o600)
writeFileSync('/tmp/kw/env', `export URI='${c.uri}?tls-psk-file=/tmp/kw/psk' UURI='${c.unixUri}'\n`)
console.log(c.uri, c.unixUri)
setInterval(() => {}, 1000)
process.on('SIGTERM', async () => {
  await pool.close()
  process.exit(0)
})
