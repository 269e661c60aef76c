//! Which addresses are on the public internet. A message must not reach the network behind the service (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is public: not loopback, private, link-local, shared (CGNAT), for documentation or tests, multicast,
/// reserved, nor an IPv6 form that carries an IPv4 address (NAT64, 6to4, Teredo).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = match (a, b, c) {
        // "This network", shared (CGNAT), benchmarks, protocol assignments, 6to4 relays, documentation, reserved.
        (0 | 240..=255, _, _)
        | (100, 64..=127, _)
        | (198, 18..=19, _)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast(),
    };
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    // Only 2000::/3 is global unicast; of that, not Teredo, ORCHID, documentation and 6to4.
    let is_global = first & 0xe000 == 0x2000;
    let is_special =
        matches!((first, second), (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff));
    is_global && !is_special
}
