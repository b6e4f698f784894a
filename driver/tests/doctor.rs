//! Every thing that can stand between a card and its driver, on machines made of files.

use std::{fs, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;
use terntable_driver::doctor::{Finding, Level, Machine};

const BDF: &str = "0000:01:00.0";

/// A machine on which everything is well.
fn machine() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "sys/class/iommu/dmar0/x", "");
    write(root.path(), "sys/bus/pci/drivers/vfio-pci/x", "");
    write(root.path(), "sys/bus/pci/drivers/nvme/x", "");
    device(root.path(), BDF, "0x1234", "0x5454", "7");
    bind(root.path(), BDF, "vfio-pci");
    write(root.path(), "dev/vfio/7", "");
    limit(root.path(), "unlimited");
    write(root.path(), "proc/meminfo", "HugePages_Total: 4\nHugePages_Free:    4\n");
    root
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn limit(root: &Path, bytes: &str) {
    let line = format!(
        "Limit  Soft Limit  Hard Limit  Units\nMax locked memory  {bytes}  {bytes}  bytes\n"
    );
    write(root, "proc/self/limits", &line);
}

fn device(root: &Path, bdf: &str, vendor: &str, number: &str, group: &str) {
    let folder = format!("sys/bus/pci/devices/{bdf}");
    write(root, &format!("{folder}/vendor"), &format!("{vendor}\n"));
    write(root, &format!("{folder}/device"), &format!("{number}\n"));
    write(root, &format!("sys/kernel/iommu_groups/{group}/devices/{bdf}"), "");
    symlink(
        root.join(format!("sys/kernel/iommu_groups/{group}")),
        root.join(format!("{folder}/iommu_group")),
    )
    .unwrap();
}

fn bind(root: &Path, bdf: &str, driver: &str) {
    let link = root.join(format!("sys/bus/pci/devices/{bdf}/driver"));
    let _ = fs::remove_file(&link);
    symlink(root.join(format!("sys/bus/pci/drivers/{driver}")), link).unwrap();
}

/// The only finding that is not fine: its text and its remedy.
fn trouble(root: &TempDir) -> (Level, String, String) {
    let findings = Machine::new(root.path()).examine();
    let bad: Vec<&Finding> = findings.iter().filter(|f| f.level != Level::Fine).collect();
    let [finding] = bad[..] else { panic!("{findings:#?}") };
    (finding.level, finding.text.clone(), finding.remedy.clone().unwrap())
}

#[test]
fn a_good_machine_is_fine() {
    let root = machine();
    let findings = Machine::new(root.path()).examine();
    assert!(findings.iter().all(|finding| finding.level == Level::Fine), "{findings:#?}");
    assert_eq!(findings.len(), 7);
    let cards = Machine::new(root.path()).cards();
    assert_eq!(cards.len(), 1);
    assert_eq!(cards[0].driver.as_deref(), Some("vfio-pci"));
}

#[test]
fn no_iommu() {
    let root = machine();
    fs::remove_dir_all(root.path().join("sys/class/iommu")).unwrap();
    let (level, text, remedy) = trouble(&root);
    assert_eq!(level, Level::Broken);
    assert!(text.contains("no IOMMU") && remedy.contains("intel_iommu=on"), "{text} {remedy}");
    // The kernel makes no groups then.
    fs::remove_file(root.path().join(format!("sys/bus/pci/devices/{BDF}/iommu_group"))).unwrap();
    let findings = Machine::new(root.path()).examine_card(BDF);
    assert!(findings[0].text.contains("no IOMMU"), "{findings:?}");
    assert!(findings[1].text.contains("no IOMMU group"), "{findings:?}");
}

#[test]
fn no_vfio() {
    let root = machine();
    fs::remove_dir_all(root.path().join("sys/bus/pci/drivers/vfio-pci")).unwrap();
    assert_eq!(trouble(&root).2, "modprobe vfio-pci");
}

#[test]
fn another_driver_or_none() {
    let root = machine();
    bind(root.path(), BDF, "nvme");
    let (_, text, remedy) = trouble(&root);
    assert!(text.contains("bound to nvme"), "{text}");
    assert!(remedy.contains("driver/unbind") && remedy.contains("driver_override"), "{remedy}");
    fs::remove_file(root.path().join(format!("sys/bus/pci/devices/{BDF}/driver"))).unwrap();
    let (_, text, remedy) = trouble(&root);
    assert!(text.contains("no driver") && !remedy.contains("driver/unbind"), "{text} {remedy}");
}

#[test]
fn a_shared_group() {
    let root = machine();
    device(root.path(), "0000:01:00.1", "0x1234", "0x11e8", "7");
    device(root.path(), "0000:00:01.0", "0x8086", "0x1901", "7");
    bind(root.path(), "0000:00:01.0", "pcieport");
    let findings = Machine::new(root.path()).examine();
    assert!(findings.iter().all(|finding| finding.level == Level::Fine), "{findings:#?}");
    bind(root.path(), "0000:01:00.1", "nvme");
    let (level, text, _) = trouble(&root);
    assert_eq!(level, Level::Broken);
    assert!(text.contains("group 7 with 0000:01:00.1"), "{text}");
}

#[test]
fn little_memory() {
    let root = machine();
    limit(root.path(), "65536");
    let (level, text, remedy) = trouble(&root);
    assert_eq!(level, Level::Broken);
    assert!(text.contains("65536") && remedy.contains("ulimit -l"), "{text} {remedy}");
    limit(root.path(), "8388608");
    write(root.path(), "proc/meminfo", "HugePages_Free: 1\n");
    let (level, _, remedy) = trouble(&root);
    assert_eq!(level, Level::Slow);
    assert_eq!(remedy, "echo 2 > /proc/sys/vm/nr_hugepages");
}

#[test]
fn no_group_file_and_no_card() {
    let root = machine();
    fs::remove_file(root.path().join("dev/vfio/7")).unwrap();
    assert!(trouble(&root).1.contains("/dev/vfio/7 is not there"));
    fs::remove_dir_all(root.path().join("sys/bus/pci/devices")).unwrap();
    let (_, text, remedy) = trouble(&root);
    assert!(text.contains("no card on the PCI bus") && remedy.contains("rescan"), "{text}");
    let findings = Machine::new(root.path()).examine_card(BDF);
    assert!(findings[0].text.contains(BDF), "{findings:?}");
}
