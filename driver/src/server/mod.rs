//! A card as a PCI function on a vfio-user socket: for QEMU, and for the driver without a machine.
//!
//! One client at a time. The card works in a thread of its own, so registers answer while a pass runs. It
//! reaches the memory that the client maps by file, and nothing else; memory without a file is refused.

mod backend;
mod worker;

use crate::{
    Error,
    card::BAR_BYTES,
    function::Function,
    golden::VECTORS,
    pci::{CONFIG_BYTES, MSIX_BYTES},
};
use backend::Backend;
use std::{os::unix::net::UnixStream, path::Path, thread};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_INFO_NORESIZE, VFIO_PCI_BAR0_REGION_INDEX,
    VFIO_PCI_BAR2_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{IrqInfo, Server, ServerRegion};

/// Serves the function that `make` makes until the socket fails: one client after the other, each finds the
/// card after a reset.
pub fn serve(
    socket: &Path,
    make: impl FnOnce() -> Result<Box<dyn Function>, Error> + Send + 'static,
) -> Result<(), Error> {
    clear(socket)?;
    let (worker, thread) = worker::start(make)?;
    let failed =
        |e: vfio_user::Error| Error::Refused(format!("the socket {}: {e}", socket.display()));
    let server = Server::new(socket, true, interrupts(), regions()).map_err(failed)?;
    let mut backend = Backend::new(worker);
    loop {
        match server.run(&mut backend) {
            Err(error @ vfio_user::Error::SocketAccept(_)) => return Err(failed(error)),
            // A client that breaks off in the middle of a message is gone like any other.
            Ok(()) | Err(_) => backend.client_gone(),
        }
        if thread.is_finished() {
            let what = "the card's thread ended: its simulation failed".to_owned();
            return Err(Error::Refused(what));
        }
        thread::yield_now();
    }
}

/// Removes a socket that nobody serves any more.
fn clear(socket: &Path) -> Result<(), Error> {
    if !socket.exists() {
        return Ok(());
    }
    let refused =
        |why: &str| Error::Refused(format!("{}: {why}; give another --socket", socket.display()));
    match UnixStream::connect(socket) {
        Ok(_) => Err(refused("another server listens here")),
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => std::fs::remove_file(socket)
            .map_err(Error::io(format!("removing the old socket {}", socket.display()))),
        Err(e) => Err(refused(&format!("not a socket of a card server ({e})"))),
    }
}

fn regions() -> Vec<ServerRegion> {
    let region = |index| {
        let size = match index {
            VFIO_PCI_BAR0_REGION_INDEX => BAR_BYTES as u64,
            VFIO_PCI_BAR2_REGION_INDEX => MSIX_BYTES,
            VFIO_PCI_CONFIG_REGION_INDEX => CONFIG_BYTES as u64,
            _ => 0,
        };
        let all = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
        let region_info = vfio_region_info {
            argsz: size_of::<vfio_region_info>() as u32,
            flags: if size > 0 { all } else { 0 },
            index,
            size,
            ..Default::default()
        };
        ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None }
    };
    (0..VFIO_PCI_NUM_REGIONS).map(region).collect()
}

fn interrupts() -> Vec<IrqInfo> {
    let interrupt = |index| match index {
        VFIO_PCI_MSIX_IRQ_INDEX => {
            let flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
            IrqInfo { index, flags, count: VECTORS }
        }
        _ => IrqInfo { index, flags: 0, count: 0 },
    };
    (0..VFIO_PCI_NUM_IRQS).map(interrupt).collect()
}
