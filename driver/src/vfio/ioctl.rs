//! The kernel's VFIO: a group in a container of its own (Documentation/driver-api/vfio.rst).
#![allow(unsafe_code)]

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd},
    path::Path,
};
use vfio_bindings::bindings::vfio::{
    VFIO_API_VERSION, VFIO_BASE, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE,
    VFIO_GROUP_FLAGS_VIABLE, VFIO_IOMMU_INFO_CAPS, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_TYPE, VFIO_TYPE1v2_IOMMU,
    vfio_group_status, vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap, vfio_region_info,
};

/// Requests, by their number in the kernel's header.
mod request {
    pub const GET_API_VERSION: u64 = 0;
    pub const CHECK_EXTENSION: u64 = 1;
    pub const SET_IOMMU: u64 = 2;
    pub const GROUP_GET_STATUS: u64 = 3;
    pub const GROUP_SET_CONTAINER: u64 = 4;
    pub const GROUP_GET_DEVICE_FD: u64 = 6;
    pub const DEVICE_GET_REGION_INFO: u64 = 8;
    pub const DEVICE_SET_IRQS: u64 = 10;
    pub const DEVICE_RESET: u64 = 11;
    pub const IOMMU_GET_INFO: u64 = 12;
    pub const IOMMU_MAP_DMA: u64 = 13;
    pub const IOMMU_UNMAP_DMA: u64 = 14;
}

/// A request with a pointer or a number.
///
/// # Safety
/// The argument must be what the request takes.
unsafe fn control<T>(file: &File, request: u64, argument: T) -> io::Result<i32> {
    let number = u64::from(VFIO_TYPE) << 8 | (u64::from(VFIO_BASE) + request);
    // SAFETY: as the caller says.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), number, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A container with one group and one device of it.
pub(super) struct Container {
    container: File,
    /// Holds the container's device; dropped after it.
    _group: File,
    pub device: File,
}

fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

impl Container {
    /// Opens a device of a group.
    pub fn open(group: &str, bdf: &str) -> io::Result<Self> {
        let container = open(Path::new("/dev/vfio/vfio"))?;
        let group = open(&Path::new("/dev/vfio").join(group))?;
        let text = |text: &str| io::Error::other(text.to_owned());
        // SAFETY: these take nothing, or a number.
        let (version, type1) = unsafe {
            let type1 = u64::from(VFIO_TYPE1v2_IOMMU);
            let version = control(&container, request::GET_API_VERSION, 0)?;
            (version, control(&container, request::CHECK_EXTENSION, type1)?)
        };
        if version != VFIO_API_VERSION as i32 || type1 != 1 {
            return Err(text("the kernel has no VFIO type 1: modprobe vfio_iommu_type1"));
        }
        let mut status =
            vfio_group_status { argsz: size_of::<vfio_group_status>() as u32, flags: 0 };
        // SAFETY: a status of the size that it states.
        unsafe { control(&group, request::GROUP_GET_STATUS, &raw mut status)? };
        if status.flags & VFIO_GROUP_FLAGS_VIABLE == 0 {
            return Err(text("another device of the IOMMU group has a driver of the kernel"));
        }
        let name = CString::new(bdf).map_err(|_| text("a name with a zero byte"))?;
        let number = container.as_raw_fd();
        // SAFETY: a file number, a number, and a string with its end; the file that comes is ours.
        let device = unsafe {
            control(&group, request::GROUP_SET_CONTAINER, &raw const number)?;
            control(&container, request::SET_IOMMU, u64::from(VFIO_TYPE1v2_IOMMU))?;
            File::from_raw_fd(control(&group, request::GROUP_GET_DEVICE_FD, name.as_ptr())?)
        };
        Ok(Self { container, _group: group, device })
    }

    /// A region of the device.
    pub fn region(&self, index: u32) -> io::Result<vfio_region_info> {
        let argsz = size_of::<vfio_region_info>() as u32;
        let mut info = vfio_region_info { argsz, index, ..Default::default() };
        // SAFETY: an info of the size that it states.
        unsafe { control(&self.device, request::DEVICE_GET_REGION_INFO, &raw mut info)? };
        Ok(info)
    }

    /// Interrupts of an index go to event files, vector by vector.
    pub fn set_interrupts(&self, index: u32, files: [BorrowedFd<'_>; 2]) -> io::Result<()> {
        let flags = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
        let [first, second] = files.map(|file| file.as_raw_fd() as u32);
        let message = [28, flags, index, 0, 2, first, second];
        // SAFETY: the message has the size that its first word states.
        unsafe { control(&self.device, request::DEVICE_SET_IRQS, message.as_ptr()).map(|_| ()) }
    }

    /// Resets the function.
    pub fn reset(&self) -> io::Result<()> {
        // SAFETY: takes nothing.
        unsafe { control(&self.device, request::DEVICE_RESET, 0).map(|_| ()) }
    }

    /// The ranges of addresses that may be mapped: first and last byte.
    pub fn ranges(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut info = [0_u32; 256];
        info[0] = size_of_val(&info) as u32;
        // SAFETY: the buffer has the size that its first word states.
        unsafe { control(&self.container, request::IOMMU_GET_INFO, info.as_mut_ptr())? };
        Ok(iova_ranges(&info))
    }

    /// Maps memory of this process for the device.
    ///
    /// # Safety
    /// The memory must stay until it is unmapped or the container is dropped.
    pub unsafe fn map(&self, iova: u64, address: u64, size: u64) -> io::Result<()> {
        let flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
        let argsz = size_of::<vfio_iommu_type1_dma_map>() as u32;
        let map = vfio_iommu_type1_dma_map { argsz, flags, vaddr: address, iova, size };
        // SAFETY: a request of the size that it states; the memory is as the caller says.
        unsafe { control(&self.container, request::IOMMU_MAP_DMA, &raw const map).map(|_| ()) }
    }

    /// Unmaps a range.
    pub fn unmap(&self, iova: u64, size: u64) -> io::Result<()> {
        let argsz = size_of::<vfio_iommu_type1_dma_unmap>() as u32;
        let mut unmap = vfio_iommu_type1_dma_unmap { argsz, iova, size, ..Default::default() };
        // SAFETY: a request of the size that it states.
        unsafe { control(&self.container, request::IOMMU_UNMAP_DMA, &raw mut unmap).map(|_| ()) }
    }
}

/// The ranges in an answer to IOMMU_GET_INFO: words of the info, then a chain of capabilities. A kernel that
/// names none allows all addresses of 39 bits, the narrowest IOMMU there is.
fn iova_ranges(info: &[u32]) -> Vec<(u64, u64)> {
    let word = |at: usize| info.get(at / 4).copied().unwrap_or(0);
    let wide = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let mut at = if word(4) & VFIO_IOMMU_INFO_CAPS != 0 { word(16) as usize } else { 0 };
    // A chain that turns back ends as well.
    for _ in 0..16 {
        if at == 0 {
            break;
        }
        if word(at) & 0xffff == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE {
            let count = (word(at + 8) as usize).min(info.len());
            return (0..count)
                .map(|i| at + 16 + 16 * i)
                .map(|at| (wide(at), wide(at + 8)))
                .collect();
        }
        at = word(at + 4) as usize;
    }
    vec![(0, (1 << 39) - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_from_the_chain() {
        // argsz, flags, page sizes, offset of the chain, pad; a capability; ranges.
        let info = [
            96,
            2,
            0,
            0,
            24,
            0, //
            7,
            32, //
            0x0001_0001,
            0,
            2,
            0, //
            0,
            0,
            0xfedf_ffff,
            0, //
            0xfef0_0000,
            0,
            !0,
            0x7f,
        ];
        assert_eq!(iova_ranges(&info), [(0, 0xfedf_ffff), (0xfef0_0000, 0x7f_ffff_ffff)]);
        assert_eq!(iova_ranges(&[24, 0, 0, 0, 0, 0]), [(0, (1 << 39) - 1)]);
        let turning = [40, 2, 0, 0, 24, 0, 7, 24];
        assert_eq!(iova_ranges(&turning), [(0, (1 << 39) - 1)]);
    }
}
