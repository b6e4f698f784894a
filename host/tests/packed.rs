//! Packed layer by layer from a checkpoint, or at once from a model: the same bytes.

use std::path::Path;
use terntable::{import::AnyCheckpoint, packed};
use terntable_cpu::image::{Image, Layout, ModelParts};

#[test]
fn a_checkpoint_packs_into_the_same_bytes_as_its_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = root.join("tests/fixtures");
    let folders = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path());
    let bundled = root.join("../models/shakespeare");
    let mut packed_models = 0;
    for folder in folders.filter(|path| path.is_dir()).chain([bundled]) {
        let checkpoint = AnyCheckpoint::open(&folder).unwrap();
        let ours = packed::open(&checkpoint, 1).unwrap();
        let model = checkpoint.model().unwrap();
        let mut parts = ModelParts::new(&model, &ours.header().source);
        let expected = Image::build(&mut parts, &mut |_, _| {}).unwrap();
        for (part, _) in Layout::new(expected.header()).unwrap().parts() {
            let place = format!("{}: {part:?}", folder.display());
            assert!(ours.part(*part) == expected.part(*part), "{place}");
        }
        assert_eq!(ours.header(), expected.header(), "{}", folder.display());
        packed_models += 1;
    }
    assert!(packed_models > 10, "{packed_models}");
}
