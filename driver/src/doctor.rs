//! What stands between a card and its driver on a machine, and the command that removes it.
//!
//! Every check reads files below a root, `/` or a folder that a test made.

use crate::{card::SHARED, memory::HUGE_PAGE, pci};
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, but slower or not for long.
    Slow,
    /// It does not work.
    Broken,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at and found.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    fn fine(text: impl Into<String>) -> Self {
        Self { level: Level::Fine, text: text.into(), remedy: None }
    }

    fn broken(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Broken, text: text.into(), remedy: Some(remedy.into()) }
    }
}

/// A card on the machine's PCI bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PciCard {
    /// Its address: domain, bus, device, function.
    pub bdf: String,
    /// The kernel's driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub group: Option<String>,
}

/// The files of a machine.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

impl Default for Machine {
    /// This machine.
    fn default() -> Self {
        Self::new("/")
    }
}

impl Machine {
    /// The machine whose files lie below a folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The cards on the bus, by the numbers of the function.
    pub fn cards(&self) -> Vec<PciCard> {
        let hex = |path: PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            u16::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
        };
        let devices = self.path("sys/bus/pci/devices");
        let ours = names(&devices).into_iter().filter(|bdf| {
            let device = devices.join(bdf);
            hex(device.join("vendor")) == Some(pci::VENDOR)
                && hex(device.join("device")) == Some(pci::DEVICE)
        });
        ours.map(|bdf| self.card(&bdf)).collect()
    }

    fn card(&self, bdf: &str) -> PciCard {
        let device = self.device(bdf);
        let (driver, group) = (link(&device.join("driver")), link(&device.join("iommu_group")));
        PciCard { bdf: bdf.into(), driver, group }
    }

    fn device(&self, bdf: &str) -> PathBuf {
        self.path("sys/bus/pci/devices").join(bdf)
    }

    /// All checks: of the machine, then of every card.
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![self.iommu(), self.module(), self.locked(), self.huge_pages()];
        let cards = self.cards();
        if cards.is_empty() {
            findings.push(Finding::broken(
                format!("no card on the PCI bus ({:04x}:{:04x})", pci::VENDOR, pci::DEVICE),
                "load the card's bitstream, then: echo 1 > /sys/bus/pci/rescan",
            ));
        }
        findings.extend(cards.iter().flat_map(|card| self.examine_card(&card.bdf)));
        findings
    }

    /// The checks of a card: those that must hold before it can be opened, the first cause first.
    pub fn examine_card(&self, bdf: &str) -> Vec<Finding> {
        if !self.device(bdf).exists() {
            return vec![Finding::broken(
                format!("there is no PCI function {bdf}"),
                "`terntable devices` lists the cards; a card whose bitstream was loaded later \
                 appears after: echo 1 > /sys/bus/pci/rescan",
            )];
        }
        let card = self.card(bdf);
        let Some(group) = &card.group else {
            return vec![self.iommu(), no_group(bdf)];
        };
        vec![self.driver(&card), self.neighbours(bdf, group), self.permission(bdf, group)]
    }

    fn iommu(&self) -> Finding {
        let units = names(&self.path("sys/class/iommu"));
        match units.is_empty() {
            false => Finding::fine(format!("IOMMU: {}", units.join(", "))),
            true => Finding::broken(
                "no IOMMU: the kernel cannot keep a card inside of its memory",
                "switch VT-d or AMD-Vi on in the firmware, and on Intel boot with intel_iommu=on",
            ),
        }
    }

    fn module(&self) -> Finding {
        match self.path("sys/bus/pci/drivers/vfio-pci").exists() {
            true => Finding::fine("the kernel has the driver vfio-pci"),
            false => Finding::broken("the driver vfio-pci is not loaded", "modprobe vfio-pci"),
        }
    }

    fn locked(&self) -> Finding {
        let limits = fs::read_to_string(self.path("proc/self/limits")).unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
        let limit = line.and_then(|line| line.split_whitespace().next());
        match limit.map(str::parse::<u64>) {
            Some(Ok(bytes)) if bytes < SHARED as u64 => Finding::broken(
                format!("{bytes} bytes may be locked; a card needs {SHARED}"),
                "ulimit -l unlimited, or `* - memlock unlimited` in /etc/security/limits.conf",
            ),
            Some(limit) => Finding::fine(format!(
                "locked memory: {}",
                limit.map_or("unlimited".into(), |bytes| format!("{bytes} bytes"))
            )),
            None => Finding::fine("locked memory: no limit is stated"),
        }
    }

    fn huge_pages(&self) -> Finding {
        let info = fs::read_to_string(self.path("proc/meminfo")).unwrap_or_default();
        let line = info.lines().find_map(|line| line.strip_prefix("HugePages_Free:"));
        let free: usize = line.and_then(|line| line.trim().parse().ok()).unwrap_or(0);
        let needed = SHARED / HUGE_PAGE;
        match free >= needed {
            true => Finding::fine(format!("{free} free huge pages")),
            false => Finding {
                level: Level::Slow,
                text: format!("{free} free huge pages; a card uses {needed}, or small ones"),
                remedy: Some(format!("echo {needed} > /proc/sys/vm/nr_hugepages")),
            },
        }
    }

    fn driver(&self, card: &PciCard) -> Finding {
        let bdf = &card.bdf;
        let device = format!("/sys/bus/pci/devices/{bdf}");
        let bind = format!(
            "modprobe vfio-pci; echo vfio-pci > {device}/driver_override; echo {bdf} > \
             /sys/bus/pci/drivers_probe"
        );
        match card.driver.as_deref() {
            Some("vfio-pci") => Finding::fine(format!("{bdf} is bound to vfio-pci")),
            Some(other) => Finding::broken(
                format!("{bdf} is bound to {other}; expected vfio-pci"),
                format!("echo {bdf} > {device}/driver/unbind; {bind}"),
            ),
            None => Finding::broken(format!("no driver has {bdf}; expected vfio-pci"), bind),
        }
    }

    /// Devices of one group can reach each other's memory, so VFIO wants all of them or none.
    fn neighbours(&self, bdf: &str, group: &str) -> Finding {
        let members = names(&self.path("sys/kernel/iommu_groups").join(group).join("devices"));
        let held = |other: &&String| {
            let driver = self.card(other).driver;
            let held = driver.is_some_and(|driver| driver != "vfio-pci" && driver != "pcieport");
            *other != bdf && held
        };
        match members.iter().find(held) {
            None => Finding::fine(format!("{bdf} has IOMMU group {group} for itself")),
            Some(other) => Finding::broken(
                format!("{bdf} shares IOMMU group {group} with {other}, which another driver has"),
                format!(
                    "echo {other} > /sys/bus/pci/devices/{other}/driver/unbind, or another slot"
                ),
            ),
        }
    }

    fn permission(&self, bdf: &str, group: &str) -> Finding {
        let file = format!("/dev/vfio/{group}");
        let open = fs::OpenOptions::new().read(true).write(true).open(self.path(&file[1..]));
        match open.map_err(|e| e.kind()) {
            Ok(_) => Finding::fine(format!("{file} can be opened")),
            Err(io::ErrorKind::NotFound) => {
                Finding::broken(format!("{file} is not there"), "bind the card to vfio-pci")
            }
            Err(io::ErrorKind::PermissionDenied) => Finding::broken(
                format!("{file} may not be opened by this user"),
                format!("sudo chown $USER {file}"),
            ),
            Err(io::ErrorKind::ResourceBusy) => Finding::broken(
                format!("{bdf}: another process has {file}"),
                format!("end it: fuser -v {file}"),
            ),
            Err(other) => Finding::broken(format!("{file}: {other}"), "see dmesg"),
        }
    }
}

fn no_group(bdf: &str) -> Finding {
    Finding::broken(
        format!("{bdf} has no IOMMU group"),
        "switch the IOMMU on (see above); without one the kernel refuses",
    )
}

/// The names in a folder, sorted; none when it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The name of what a link points to.
fn link(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_string_lossy().into_owned())
}
