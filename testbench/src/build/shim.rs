//! The C++ side: one shim for all models, and the list of this model's ports, read from the header
//! that Verilator wrote.

use crate::Error;
use std::{fmt::Write as _, path::Path};

const SHIM: &str = include_str!("shim/shim.cpp");
const HOOKS: &str = include_str!("shim/hooks.h");
const LZ4: &str = include_str!("shim/lz4.h");
const ZLIB: &str = include_str!("shim/zlib.h");

/// Everything fixed that goes into a build.
pub const PARTS: [&str; 4] = [SHIM, HOOKS, LZ4, ZLIB];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    name: String,
    width: u32,
    output: bool,
}

/// The ports of the model class: lines such as `VL_INW(&data_i,511,0,16);`.
pub fn ports(top: &str, header: &str) -> Result<Vec<Port>, Error> {
    let lines = header.lines().map(str::trim);
    lines
        .filter(|l| ["VL_IN", "VL_OUT"].iter().any(|m| l.starts_with(m)))
        .map(|l| port(top, l))
        .collect()
}

fn port(top: &str, line: &str) -> Result<Port, Error> {
    let odd = |found: &str| Error::Port {
        top: top.to_owned(),
        port: line.to_owned(),
        found: found.to_owned(),
    };
    let (kind, rest) = line.split_once('(').ok_or_else(|| odd("it is not VL_IN...(...)"))?;
    if kind.starts_with("VL_INOUT") {
        return Err(odd("it is an inout"));
    }
    let mut arguments = rest.trim_end_matches([';', ')']).split(',');
    let mut next = || arguments.next().map(str::trim).unwrap_or_default();
    let name = next().trim_start_matches('&').to_owned();
    if name.contains(['(', '[']) {
        return Err(odd("it is an unpacked array"));
    }
    let (high, low) = (next().parse::<u32>(), next().parse::<u32>());
    match (high, low) {
        (Ok(high), Ok(low)) if high >= low => {
            Ok(Port { name, width: high - low + 1, output: kind.starts_with("VL_OUT") })
        }
        _ => Err(odd("its range is not [high:low]")),
    }
}

/// Writes the shim and the port list beside the generated C++.
pub fn write(dir: &Path, ports: &[Port]) -> Result<(), Error> {
    let mut list = String::new();
    for Port { name, width, output } in ports {
        let _ = writeln!(list, "PORT({name}, {width}, {})", u8::from(*output));
    }
    super::write(&dir.join("ports.inc"), &list)?;
    super::write(&dir.join("shim.cpp"), SHIM)?;
    write_headers(dir)
}

/// Writes the headers that every compilation sees.
pub fn write_headers(dir: &Path) -> Result<(), Error> {
    super::write(&dir.join("hooks.h"), HOOKS)?;
    super::write(&dir.join("lz4.h"), LZ4)?;
    super::write(&dir.join("zlib.h"), ZLIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_header() {
        let header =
            "class Vmodel {\n  VL_IN8(&clk_i,0,0);\n VL_INW(&d_i,99,0,4);\n  VL_OUT64(&k_o,35,0);";
        let port = |name: &str, width, output| Port { name: name.to_owned(), width, output };
        let want = [port("clk_i", 1, false), port("d_i", 100, false), port("k_o", 36, true)];
        assert_eq!(ports("top", header).unwrap(), want);
        let array = ports("top", "VL_IN8((&a_i)[4],7,0);").unwrap_err().to_string();
        assert!(array.contains("unpacked array; expected a packed port"), "{array}");
    }
}
