import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIPv4 } from 'node:net'
import { addressOf, isPublic, parseTarget } from './webhook-target.ts'

const inside = [
  '127.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '169.254.169.254',
  '0.0.0.0',
  '100.64.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '192.0.2.1',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::a00:1',
  'fe80::1',
  'fc00::1',
  'fd12::1',
  'ff02::1',
  '2002:7f00:1::',
  '2001:db8::1',
  '2001::1',
  '100::1',
]
const outside = ['8.8.8.8', '172.15.255.255', '172.32.0.0', '100.63.255.255', '2606:4700::1111', '2a00::1']

const address = (text: string) => ({ address: text, family: isIPv4(text) ? (4 as const) : (6 as const) })

test('isPublic() knows what lies inside', () => {
  assert.deepEqual(
    inside.filter((text) => isPublic(address(text))),
    [],
  )
  assert.deepEqual(
    outside.filter((text) => !isPublic(address(text))),
    [],
  )
})

test('parseTarget() takes https to the outside and nothing else', () => {
  const refused = [
    'http://example.com/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user:pass@example.com/',
    'nonsense',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://localhost/',

    'https://a.localhost/',
    'https://metadata.google.internal/',
    'https://example.com/#x',
    'https://169.254.169.254/',
    `https://example.com/${'x'.repeat(3000)}`,
    'https://[::ffff:127.0.0.1]/',
  ]
  for (const url of refused) assert.throws(() => parseTarget(url, false), { code: 'invalid' }, url)
  for (const url of ['https://example.com/hook?x=1', 'https://8.8.8.8:8443/']) parseTarget(url, false)
  for (const url of ['http://127.0.0.1:9000/', 'https://localhost/']) parseTarget(url, true)
})

test('addressOf() refuses a name that has one address inside, and connects to what it has looked at', async () => {
  const url = new URL('https://example.com/')
  const resolve =
    (...texts: string[]) =>
    async () =>
      texts.map(address)
  assert.deepEqual(await addressOf(url, false, resolve('8.8.8.8')), address('8.8.8.8'))
  await assert.rejects(addressOf(url, false, resolve('8.8.8.8', '127.0.0.1')), { code: 'forbidden' })
  await assert.rejects(addressOf(url, false, resolve('::1')), { code: 'forbidden' })
  await assert.rejects(addressOf(url, false, resolve()), { code: 'unavailable' })
  assert.deepEqual(await addressOf(url, true, resolve('127.0.0.1')), address('127.0.0.1'))
  const literal = new URL('https://10.0.0.1/')
  await assert.rejects(addressOf(literal, false, resolve('8.8.8.8')), { code: 'forbidden' })
})
