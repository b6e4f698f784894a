//! Names of cards on the command line.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusName {
    /// The golden card model in this process, behind its host interface.
    Golden,
    /// The RTL of a card and its host interface, simulated in this process.
    Sim,
    /// A card server's socket.
    VfioUser(PathBuf),
    /// A function bound to vfio-pci: domain, bus, device, function.
    Vfio(String),
    /// A card of a SoC: the name of its UIO device.
    Platform(String),
}

impl fmt::Display for BusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Golden => f.write_str("card:golden"),
            Self::Sim => f.write_str("card:sim"),
            Self::VfioUser(socket) => write!(f, "vfio-user:{}", socket.display()),
            Self::Vfio(bdf) => write!(f, "vfio:{bdf}"),
            Self::Platform(name) => write!(f, "platform:{name}"),
        }
    }
}

impl FromStr for BusName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("card", "golden")) => Ok(Self::Golden),
            Some(("card", "sim")) => Ok(Self::Sim),
            Some(("vfio-user", socket)) if !socket.is_empty() => Ok(Self::VfioUser(socket.into())),
            Some(("vfio", bdf)) if !bdf.is_empty() => Ok(Self::Vfio(bdf.into())),
            Some(("platform", name)) if !name.is_empty() => Ok(Self::Platform(name.into())),
            _ => Err("card:golden, card:sim, vfio-user:SOCKET, vfio:BDF, platform:NAME".into()),
        }
    }
}
