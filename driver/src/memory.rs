//! Memory that a host and a card share.
#![allow(unsafe_code)]

use rustix::{
    fs::MemfdFlags,
    mm::{MapFlags, ProtFlags},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering, fence},
    },
};

pub use crate::dma::{DmaMemory, DmaTable, HostMemory, Unmapped};

/// Bytes of a page, of a ring's alignment and of the smallest mapping.
pub const PAGE: usize = 4096;
/// Bytes of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// Pages that the other side of a bus sees too. Bytes change under the reader, so they are only copied.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; its bytes are only copied in and out.
unsafe impl Send for Mapping {}
// SAFETY: as above; no reference to the bytes is ever given out.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Part of a file, shared with whoever has it.
    pub fn of_file(
        file: impl AsFd,
        offset: u64,
        bytes: usize,
        writable: bool,
    ) -> io::Result<Arc<Self>> {
        let write = if writable { ProtFlags::WRITE } else { ProtFlags::empty() };
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            let protection = ProtFlags::READ | write;
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                MapFlags::SHARED,
                file,
                offset,
            )?
        };
        Self::owning(base, bytes)
    }

    /// Memory of this process, of huge pages if asked for.
    pub fn anonymous(bytes: usize, huge: bool) -> io::Result<Arc<Self>> {
        let huge = if huge { MapFlags::HUGETLB } else { MapFlags::empty() };
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            let protection = ProtFlags::READ | ProtFlags::WRITE;
            let flags = MapFlags::SHARED | MapFlags::POPULATE | huge;
            rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, protection, flags)?
        };
        Self::owning(base, bytes)
    }

    /// Zeroed memory with a file that another process can map.
    pub fn sharable(bytes: usize) -> io::Result<(Arc<Self>, OwnedFd)> {
        let file = rustix::fs::memfd_create(c"terntable", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, bytes as u64)?;
        Ok((Self::of_file(&file, 0, bytes, true)?, file))
    }

    fn owning(base: *mut std::ffi::c_void, bytes: usize) -> io::Result<Arc<Self>> {
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Arc::new(Self { base, bytes }))
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where it lies in this process.
    pub fn address(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    fn place(&self, offset: usize, bytes: usize) -> io::Result<*mut u8> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.bytes);
        // SAFETY: the offset is inside of the mapping.
        let place = inside.then(|| unsafe { self.base.as_ptr().add(offset) });
        place.ok_or_else(|| {
            io::Error::other(format!(
                "{bytes} bytes at {offset:#x} are outside of a mapping of {:#x}",
                self.bytes
            ))
        })
    }

    /// Copies bytes out.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> io::Result<()> {
        let place = self.place(offset, bytes.len())?;
        // SAFETY: checked above; the two do not overlap, one is borrowed, the other mapped.
        unsafe { std::ptr::copy_nonoverlapping(place, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    /// Copies bytes in.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let place = self.place(offset, bytes.len())?;
        // SAFETY: checked above; the two do not overlap, one is borrowed, the other mapped.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(())
    }

    /// Copies bytes in so that whoever sees the last four, if they are a word, sees all of them.
    pub fn publish(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        match bytes.split_last_chunk::<4>() {
            Some((rest, last)) if (offset + rest.len()).is_multiple_of(4) => {
                self.write(offset, rest)?;
                self.store32(offset + rest.len(), u32::from_ne_bytes(*last))
            }
            _ => self.write(offset, bytes),
        }
    }

    /// Reads a word; what was written before it is seen, too.
    pub fn load32(&self, offset: usize) -> io::Result<u32> {
        // SAFETY: `word` checked alignment and bounds; the mapping lives as long as `self`.
        Ok(unsafe { AtomicU32::from_ptr(self.word(offset)?) }.load(Ordering::Acquire))
    }

    /// Writes a word, after everything before it.
    pub fn store32(&self, offset: usize, value: u32) -> io::Result<()> {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.word(offset)?) }.store(value, Ordering::Release);
        Ok(())
    }

    /// Reads a register, once.
    pub fn read_register(&self, offset: usize) -> io::Result<u32> {
        // SAFETY: `word` checked alignment and bounds; the mapping lives as long as `self`.
        Ok(unsafe { self.word(offset)?.read_volatile() })
    }

    /// Writes a register, once, after all writes to memory before it.
    pub fn write_register(&self, offset: usize, value: u32) -> io::Result<()> {
        fence(Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { self.word(offset)?.write_volatile(value) };
        Ok(())
    }

    fn word(&self, offset: usize) -> io::Result<*mut u32> {
        let place = self.place(offset, 4)?.cast::<u32>();
        place.is_aligned().then_some(place).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by this type, whole, and nobody else has it.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_has_bounds() {
        let (mapping, _) = Mapping::sharable(PAGE).unwrap();
        assert!(mapping.write(PAGE - 1, &[0; 2]).is_err());
        assert!(mapping.read(usize::MAX, &mut [0; 2]).is_err());
        assert!(mapping.load32(2).is_err(), "not aligned");
        mapping.publish(8, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(mapping.load32(12).unwrap(), u32::from_ne_bytes([5, 6, 7, 8]));
    }
}
