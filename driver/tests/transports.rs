//! One suite over every transport that can run here.

mod suite;

use std::path::Path;
use terntable_driver::{
    golden::HostCard, in_process::InProcess, server, vfio::Vfio, vfio_user::VfioUser,
};

#[test]
fn golden() {
    suite::all(&|| Box::new(InProcess::new(HostCard::new(&suite::config()))));
}

/// Only where there is a card that is bound to vfio-pci: in the virtual machine of `cargo xtask vm-test`.
#[test]
fn vfio() {
    if let Ok(bdf) = std::env::var("TERNTABLE_TEST_VFIO") {
        suite::all(&|| Box::new(Vfio::open(&bdf).unwrap()));
    }
}

fn serve(socket: &Path) {
    let path = socket.to_owned();
    std::thread::spawn(move || {
        server::serve(&path, || Ok(Box::new(HostCard::new(&suite::config())))).unwrap();
    });
    let begin = std::time::Instant::now();
    while !socket.exists() {
        assert!(begin.elapsed().as_secs() < 5, "no socket");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn vfio_user() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card");
    serve(&socket);
    suite::all(&|| Box::new(VfioUser::connect(&socket).unwrap()));
}

#[test]
fn a_second_client_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("card");
    serve(&socket);
    let first = VfioUser::connect(&socket).unwrap();
    let error = VfioUser::connect(&socket).err().unwrap().to_string();
    assert!(error.contains("one client at a time"), "{error}");
    drop(first);
    VfioUser::connect(&socket).unwrap();
    let second = server::serve(&socket, || unreachable!()).unwrap_err().to_string();
    assert!(second.contains("another server"), "{second}");
}
