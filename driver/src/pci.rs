//! The card as a PCI function: numbers, and the bytes of its configuration space.

/// Vendor. No number is registered for Terntable; QEMU's examples use this one, too.
pub const VENDOR: u16 = 0x1234;
/// Device.
pub const DEVICE: u16 = 0x5454;
/// Bytes of the configuration space.
pub const CONFIG_BYTES: usize = 4096;
/// Bytes of BAR2, which has the MSI-X table and the pending bits behind it.
pub const MSIX_BYTES: u64 = 0x1000;
/// Where the pending bits lie in BAR2.
const PENDING: u32 = 0x800;
/// PCI Express capability, and MSI-X capability.
const EXPRESS: usize = 0x40;
const MSIX: usize = 0x80;
/// Device control: bit 15 starts a function level reset.
const DEVICE_CONTROL: usize = EXPRESS + 8;

/// A configuration space: bytes, and which bits a host may write.
#[derive(Debug, Clone)]
pub struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
}

impl ConfigSpace {
    /// After power-on, for a function with so many interrupt vectors.
    pub fn new(vectors: u16) -> Self {
        let (mut bytes, mut writable) = (vec![0; CONFIG_BYTES], vec![0; CONFIG_BYTES]);
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0x00, &VENDOR.to_le_bytes());
        put(0x02, &DEVICE.to_le_bytes());
        // There are capabilities.
        put(0x06, &0x0010_u16.to_le_bytes());
        // A processing accelerator, revision 1.
        put(0x08, &[1, 0, 0, 0x12]);
        put(0x2c, &VENDOR.to_le_bytes());
        put(0x2e, &1_u16.to_le_bytes());
        put(0x34, &[EXPRESS as u8]);
        // Express endpoint, version 2; function level reset; a link of four lanes at 8 GT/s.
        put(EXPRESS, &[0x10, MSIX as u8, 0x02, 0x00]);
        put(EXPRESS + 4, &(1_u32 << 28 | 1 << 15).to_le_bytes());
        put(EXPRESS + 0x0c, &0x443_u32.to_le_bytes());
        put(EXPRESS + 0x12, &0x1043_u16.to_le_bytes());
        put(MSIX, &[0x11, 0x00]);
        put(MSIX + 2, &(vectors - 1).to_le_bytes());
        put(MSIX + 4, &2_u32.to_le_bytes());
        put(MSIX + 8, &(PENDING | 2).to_le_bytes());
        let mut allow =
            |at: usize, mask: &[u8]| writable[at..at + mask.len()].copy_from_slice(mask);
        // Command: memory, bus master, no INTx. Cache line, interrupt line. BAR0 of 8 KiB, BAR2 of 4.
        allow(0x04, &[0x06, 0x04]);
        allow(0x0c, &[0xff]);
        allow(0x10, &0xffff_e000_u32.to_le_bytes());
        allow(0x18, &0xffff_f000_u32.to_le_bytes());
        allow(0x3c, &[0xff]);
        allow(DEVICE_CONTROL, &[0xff, 0x7f]);
        // MSI-X: enable, mask.
        allow(MSIX + 3, &[0xc0]);
        Self { bytes, writable }
    }

    /// Reads bytes; ones where there are none.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            *byte = self.bytes.get(at).copied().unwrap_or(0xff);
        }
    }

    /// Writes bytes; says whether they start a reset of the function.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let mut reset = false;
        for (at, byte) in (offset..).zip(bytes) {
            if let (Some(old), Some(mask)) = (self.bytes.get_mut(at), self.writable.get(at)) {
                *old = *old & !mask | byte & mask;
            }
            reset |= at == DEVICE_CONTROL + 1 && byte & 0x80 != 0;
        }
        reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_size_the_bars_and_reset_the_function() {
        let mut space = ConfigSpace::new(2);
        let word = |space: &ConfigSpace, at| {
            let mut bytes = [0; 4];
            space.read(at, &mut bytes);
            u32::from_le_bytes(bytes)
        };
        assert_eq!(word(&space, 0), 0x5454_1234);
        for (bar, size) in [(0x10, 0x2000), (0x14, 0), (0x18, 0x1000)] {
            assert!(!space.write(bar, &[0xff; 4]));
            assert_eq!(word(&space, bar).wrapping_neg(), size);
        }
        space.write(0, &[0xff; 4]);
        assert_eq!(word(&space, 0), 0x5454_1234, "read-only");
        assert!(!space.write(DEVICE_CONTROL, &[0x10, 0x20]));
        assert!(space.write(DEVICE_CONTROL + 1, &[0x80]));
        assert!(space.write(DEVICE_CONTROL, &[0, 0x80]));
        assert_eq!(word(&space, DEVICE_CONTROL) >> 15 & 1, 0, "reads as zero");
        assert_eq!(word(&space, 4094), 0xffff_0000);
    }
}
