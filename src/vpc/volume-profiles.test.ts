import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { findProfile, performanceOf, volumeProfiles } from './volume-profiles.ts'

const performance = (name: string, capacityGb: number, iops?: number, bandwidthMbps?: number) => {
  const profile = findProfile(name)
  assert.ok(profile)
  try {
    const { iops: given, bandwidthMbps: mbps } = performanceOf(profile, { capacityGb, iops, bandwidthMbps })
    return `${given} IOPS ${mbps} Mbps`
  } catch (error) {
    assert.ok(error instanceof Fault)
    return error.reason
  }
}

test('the figures that are documented', () => {
  const rows: readonly [string, Parameters<typeof performance>][] = [
    ['3000 IOPS 393 Mbps', ['general-purpose', 10]],
    ['3000 IOPS 393 Mbps', ['general-purpose', 1000]],
    ['9000 IOPS 1179 Mbps', ['general-purpose', 3000]],
    ['48000 IOPS 5360 Mbps', ['general-purpose', 16_000]],
    ['15000 IOPS 1966 Mbps', ['5iops-tier', 3000]],
    ['48000 IOPS 6144 Mbps', ['5iops-tier', 9600]],
    ['48000 IOPS 8192 Mbps', ['10iops-tier', 4800]],
    ['1500 IOPS 3145 Mbps', ['custom', 100, 1500]],
    ['100 IOPS 209 Mbps', ['custom', 10]],
    ['1000 IOPS 2097 Mbps', ['custom', 16_000]],
    ['3000 IOPS 1000 Mbps', ['sdp', 1]],
    ['64000 IOPS 8192 Mbps', ['sdp', 151, 64_000, 8192]],
  ]
  for (const [expected, args] of rows) assert.equal(performance(...args), expected, args.join(' '))
})

test('every edge of every range is on the right side', () => {
  const refusedAbove: readonly [string, number, number][] = [
    ['custom', 39, 1000],
    ['custom', 40, 2000],
    ['custom', 79, 2000],
    ['custom', 99, 4000],
    ['custom', 499, 6000],
    ['custom', 999, 10_000],
    ['custom', 1999, 20_000],
    ['custom', 3999, 40_000],
    ['custom', 7999, 40_000],
    ['custom', 9999, 48_000],
    ['custom', 16_000, 48_000],
    ['sdp', 20, 3000],
    ['sdp', 21, 5000],
    ['sdp', 50, 5000],
    ['sdp', 80, 20_000],
    ['sdp', 100, 30_000],
    ['sdp', 130, 45_000],
    ['sdp', 150, 60_000],
    ['sdp', 32_000, 64_000],
  ]
  for (const [name, capacityGb, iopsMax] of refusedAbove) {
    assert.match(performance(name, capacityGb, iopsMax) ?? '', /IOPS/, `${name} ${capacityGb} GB`)
    assert.equal(performance(name, capacityGb, iopsMax + 1), 'volume_profile_capacity_iops_invalid')
  }
  for (const { name, capacityGb } of volumeProfiles) {
    assert.equal(performance(name, capacityGb.max + 1), 'volume_capacity_max')
    if (capacityGb.min > 1) assert.equal(performance(name, capacityGb.min - 1), 'volume_profile_capacity_iops_invalid')
  }
  assert.equal(performance('sdp', 20, 3000, 1001), 'volume_profile_capacity_maxbandwidth_invalid')
})

test('a tier takes the IOPS that it gives or fewer, as the documented commands send, and refuses more', () => {
  assert.equal(performance('general-purpose', 20, 100), '3000 IOPS 393 Mbps')
  assert.equal(performance('general-purpose', 20, 3001), 'volume_profile_iops_invalid')
  assert.equal(performance('general-purpose', 20, -1), 'volume_iops_zero_or_negative')
})
