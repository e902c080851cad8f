// The client against a peer that says what QEMU may say, in any pieces, and what it may not.

import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { machineMessageBytesMax } from '#base/limits-compute.ts'
import { openQmp } from './qmp.ts'
import type { QmpEvent } from './qmp.ts'

const greeting = '{"QMP":{"version":{},"capabilities":[]}}\n'

/** A peer that answers each command with what `answer` says. */
function peer(answer: (command: { execute: string; id: number; arguments: unknown }) => string) {
  const [ours, theirs] = duplexPair()
  const events: QmpEvent[] = []
  theirs.on('data', (data: Buffer) => {
    for (const line of data.toString().split('\n').filter(Boolean)) {
      const words = answer(JSON.parse(line))
      if (words !== '') theirs.write(words)
    }
  })
  const qmp = openQmp(ours, (event) => events.push(event))
  return { ours, theirs, events, qmp }
}

const content = ({ id }: { id: number }): string => `{"return":{"of":${id}},"id":${id}}\n`

test('commands are answered by id, events come in between, in pieces of any size', async () => {
  const held: string[] = []
  const { theirs, events, qmp } = peer((command) => {
    if (command.execute === 'qmp_capabilities') return content(command)
    held.push(content(command))
    return '{"event":"STOP","data":{"a":1},"timestamp":{}}\n'
  })
  for (const character of greeting) theirs.write(character)
  const { execute } = await qmp
  const [first, second] = [execute('a'), execute('b', { x: 'ü' })]
  while (held.length < 2) await turn()
  for (const byte of Buffer.from(held.toReversed().join(''))) theirs.write(Buffer.of(byte))
  assert.deepEqual(await Promise.all([first, second]), [{ of: 2 }, { of: 3 }])
  const event = { event: 'STOP', data: { a: 1 } }
  assert.deepEqual(events, [event, event])
})

test('a refusal is a fault with its sentence, and the next command is heard', async () => {
  const { theirs, qmp } = peer((command) =>
    command.execute === 'no'
      ? `{"error":{"class":"GenericError","desc":"not so"},"id":${command.id}}\n`
      : content(command),
  )
  theirs.write(greeting)
  const { execute } = await qmp
  await assert.rejects(execute('no'), (error) => error instanceof Fault && error.message === 'not so')
  assert.deepEqual(await execute('yes'), { of: 3 })
})

test('who goes, speaks without end or says what is no message is gone for every command', async () => {
  const rude = ['not json\n', 'x'.repeat(machineMessageBytesMax + 1), null]
  for (const words of rude) {
    const { theirs, qmp } = peer((command) => (command.execute === 'qmp_capabilities' ? content(command) : ''))
    theirs.write(greeting)
    const { execute } = await qmp
    const pending = execute('wait')
    if (words === null) theirs.end()
    else theirs.write(words)
    await assert.rejects(pending, /the machine has gone/)
    await assert.rejects(execute('more'), /the machine has gone/)
  }
  const silent = peer(content)
  silent.theirs.end()
  await assert.rejects(silent.qmp, /the machine has gone/)
})
