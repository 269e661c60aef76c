//! Networks: whose an address is where attempts are counted, and where viewers must be.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::invalid::Invalid;

/// The bits of an IPv6 address that name a network: whoever has one address of it has all.
const PREFIX: u32 = 64;

/// An IPv4 address, or the network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of `address`.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - PREFIX))))
            }
            IpAddr::V4(address) => IpAddr::V4(address),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/{PREFIX}"),
        }
    }
}

/// An address or a network, such as `192.0.2.7` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CidrBlock(IpNet);

impl CidrBlock {
    /// Reads an address or a network.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let rule = "must be an address or a network such as 192.0.2.7 or 2001:db8::/32";
        parsed.map(|block| Self(block.trunc())).map_err(|_| Invalid::one("address", rule))
    }

    /// Whether it has this address. An IPv4 address that is written as IPv6 is the same one.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for CidrBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl TryFrom<String> for CidrBlock {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<CidrBlock> for String {
    fn from(block: CidrBlock) -> Self {
        block.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one_and_each_ipv4_address_is_its_own() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ] {
            assert_eq!(Network::of(address.parse().unwrap()).to_string(), network, "{address}");
        }
    }

    #[test]
    fn block_has_its_addresses_in_either_form() {
        let block = CidrBlock::parse("192.0.2.77/24").unwrap();
        assert_eq!(block.to_string(), "192.0.2.0/24");
        assert!(block.contains("192.0.2.1".parse().unwrap()));
        assert!(block.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!block.contains("192.0.3.1".parse().unwrap()));
        assert_eq!(CidrBlock::parse("2001:db8::1").unwrap().to_string(), "2001:db8::1");
        for bad in ["", "192.0.2", "192.0.2.0/33", "host"] {
            assert!(CidrBlock::parse(bad).is_err(), "{bad}");
        }
    }
}
