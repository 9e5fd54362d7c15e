import {BlockList, isIP, isIPv4} from 'node:net';

/**
 * What an IP address is, for a client that must reach the internet and nothing else.
 * `private` and `loopback` may be allowed by config; every other class but `global`
 * never is. IPv6 is judged by what is allowed: only 2000::/3 without the parts of it that
 * carry other protocols' addresses.
 */
export type AddressClass = 'global' | 'private' | 'loopback' | 'reserved';

export type JudgedAddress = {readonly class: AddressClass; readonly reason: string};

type Range = readonly [subnet: string, bits: number, addressClass: AddressClass, reason: string];

const IPV4: readonly Range[] = [
  ['0.0.0.0', 8, 'reserved', 'unspecified (0.0.0.0/8)'],
  ['10.0.0.0', 8, 'private', 'private (10.0.0.0/8)'],
  ['100.64.0.0', 10, 'private', 'carrier-grade NAT (100.64.0.0/10)'],
  ['127.0.0.0', 8, 'loopback', 'loopback (127.0.0.0/8)'],
  ['169.254.0.0', 16, 'reserved', 'link-local (169.254.0.0/16)'],
  ['172.16.0.0', 12, 'private', 'private (172.16.0.0/12)'],
  ['192.0.0.0', 24, 'reserved', 'protocol assignments (192.0.0.0/24)'],
  ['192.0.2.0', 24, 'reserved', 'documentation (192.0.2.0/24)'],
  ['192.31.196.0', 24, 'reserved', 'AS112 (192.31.196.0/24)'],
  ['192.52.193.0', 24, 'reserved', 'AMT (192.52.193.0/24)'],
  ['192.88.99.0', 24, 'reserved', '6to4 relay (192.88.99.0/24)'],
  ['168.63.129.16', 32, 'reserved', 'a cloud platform’s own service (168.63.129.16)'],
  ['192.168.0.0', 16, 'private', 'private (192.168.0.0/16)'],
  ['192.175.48.0', 24, 'reserved', 'AS112 (192.175.48.0/24)'],
  ['198.18.0.0', 15, 'reserved', 'benchmarking (198.18.0.0/15)'],
  ['198.51.100.0', 24, 'reserved', 'documentation (198.51.100.0/24)'],
  ['203.0.113.0', 24, 'reserved', 'documentation (203.0.113.0/24)'],
  ['224.0.0.0', 4, 'reserved', 'multicast (224.0.0.0/4)'],
  ['240.0.0.0', 4, 'reserved', 'reserved or broadcast (240.0.0.0/4)'],
];

const IPV6: readonly Range[] = [
  ['::', 128, 'reserved', 'unspecified (::)'],
  ['::1', 128, 'loopback', 'loopback (::1)'],
  ['::', 96, 'reserved', 'IPv4-compatible (::/96)'],
  ['64:ff9b::', 96, 'reserved', 'NAT64 (64:ff9b::/96)'],
  ['64:ff9b:1::', 48, 'reserved', 'local NAT64 (64:ff9b:1::/48)'],
  ['100::', 64, 'reserved', 'discard (100::/64)'],
  ['2001::', 32, 'reserved', 'Teredo (2001::/32)'],
  ['2001::', 23, 'reserved', 'protocol assignments (2001::/23)'],
  ['2001:db8::', 32, 'reserved', 'documentation (2001:db8::/32)'],
  ['2002::', 16, 'reserved', '6to4 (2002::/16)'],
  ['2620:4f:8000::', 48, 'reserved', 'AS112 (2620:4f:8000::/48)'],
  ['3ffe::', 16, 'reserved', '6bone (3ffe::/16)'],
  ['3fff::', 20, 'reserved', 'documentation (3fff::/20)'],
  ['fc00::', 7, 'private', 'unique local (fc00::/7)'],
  ['fe80::', 10, 'reserved', 'link-local (fe80::/10)'],
  ['fec0::', 10, 'reserved', 'site-local (fec0::/10)'],
  ['ff00::', 8, 'reserved', 'multicast (ff00::/8)'],
];

const subnet = (ranges: readonly Range[], family: 'ipv4' | 'ipv6') =>
  ranges.map(([address, bits, addressClass, reason]) => {
    const list = new BlockList();
    list.addSubnet(address, bits, family);
    return {list, judged: {class: addressClass, reason}};
  });

const IPV4_RANGES = subnet(IPV4, 'ipv4');
const IPV6_RANGES = subnet(IPV6, 'ipv6');
const GLOBAL_UNICAST = new BlockList();
GLOBAL_UNICAST.addSubnet('2000::', 3, 'ipv6');

const GLOBAL: JudgedAddress = {class: 'global', reason: 'global address'};

/** Judges a textual IPv4 or IPv6 address; anything else is `reserved`. */
export function judgeAddress(address: string): JudgedAddress {
  if (isIPv4(address)) return IPV4_RANGES.find(({list}) => list.check(address, 'ipv4'))?.judged ?? GLOBAL;
  // A zone (fe80::1%eth0) names an interface of this machine.
  if (isIP(address) !== 6 || address.includes('%')) return {class: 'reserved', reason: 'not an address of the internet'};
  const mapped = mappedIpv4(address);
  if (mapped !== null) {
    const inner = judgeAddress(mapped);
    return inner.class === 'global' ? {class: 'reserved', reason: 'IPv4-mapped (::ffff:0:0/96)'} : {...inner, reason: `IPv4-mapped ${inner.reason}`};
  }
  const special = IPV6_RANGES.find(({list}) => list.check(address, 'ipv6'));
  if (special !== undefined) return special.judged;
  return GLOBAL_UNICAST.check(address, 'ipv6') ? GLOBAL : {class: 'reserved', reason: 'not global unicast (outside 2000::/3)'};
}

/** The IPv4 address inside ::ffff:0:0/96, or null. The URL parser writes the one form of each address. */
function mappedIpv4(address: string): string | null {
  const canonical = new URL(`http://[${address}]/`).hostname;
  const hex = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(canonical);
  if (hex === null) return null;
  const [high, low] = [Number.parseInt(hex[1] ?? '0', 16), Number.parseInt(hex[2] ?? '0', 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
