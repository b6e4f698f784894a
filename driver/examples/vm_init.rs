//! The init of the virtual machine test (`cargo xtask vm-test`): loads the modules of VFIO, binds the card to
//! vfio-pci, runs the suite and `terntable generate` on it, says how they ended and switches the machine off.
//!
//! Lines that begin with `VM ` are read by scripts/vm.py.

use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, finit_module, reboot},
};
use std::{
    error::Error,
    ffi::CStr,
    fs,
    process::{Command, Stdio},
};
use terntable_driver::doctor::{Level, Machine};

fn main() {
    if let Err(error) = run() {
        println!("VM FAILED {error}");
    }
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        println!("VM FAILED to switch off: {error}");
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    for (kind, folder) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        fs::create_dir_all(folder)?;
        mount(kind, folder, kind, MountFlags::empty(), None::<&CStr>)?;
    }
    println!("VM kernel {}", fs::read_to_string("/proc/version")?.trim());
    before_vfio()?;
    let mut modules: Vec<_> = fs::read_dir("/modules")?.flatten().map(|e| e.path()).collect();
    modules.sort();
    for module in modules {
        finit_module(fs::File::open(&module)?, c"", 0)
            .map_err(|e| format!("{}: {e}", module.display()))?;
    }
    fs::write("/proc/sys/vm/nr_hugepages", "4")?;
    let machine = Machine::default();
    let [card] = &machine.cards()[..] else {
        return Err(format!("expected one card, found {:?}", machine.cards()).into());
    };
    let bdf = &card.bdf;
    fs::write(format!("/sys/bus/pci/devices/{bdf}/driver_override"), "vfio-pci")?;
    fs::write("/sys/bus/pci/drivers_probe", bdf)?;
    for finding in machine.examine() {
        println!("VM doctor {:?}: {}", finding.level, finding.text);
        if finding.level == Level::Broken {
            return Err(finding.text.into());
        }
    }
    let device = format!("vfio:{bdf}");
    let mut suite = Command::new("/suite");
    step("suite", suite.args(["vfio", "--exact"]).env("TERNTABLE_TEST_VFIO", bdf))?;
    for arguments in fs::read_to_string("/runs")?.lines() {
        let mut generate = Command::new("/terntable");
        generate.args(["generate", "--model", "/model", "--no-fallback", "--json"]);
        step("generate", generate.args(["--device", &device]).args(arguments.split('\t')))?;
    }
    println!("VM DONE");
    Ok(())
}

/// Without vfio-pci the driver must say what is missing.
fn before_vfio() -> Result<(), Box<dyn Error>> {
    let card = Machine::default().cards().into_iter().next().ok_or("no card on the bus")?;
    let found = Machine::default().examine_card(&card.bdf);
    let missing = found.iter().find(|finding| finding.level == Level::Broken);
    let remedy = missing.and_then(|finding| finding.remedy.as_deref()).unwrap_or_default();
    match remedy.contains("vfio-pci") {
        true => Ok(()),
        false => Err(format!("an unbound card is not explained: {found:?}").into()),
    }
}

/// Runs a program; what it prints becomes lines for the test.
fn step(name: &str, command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("VM {name} {line}");
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{name} ended with {}", output.status).into()),
    }
}
