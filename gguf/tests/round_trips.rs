//! What is written is read back, whatever it is; what is damaged never panics.

use proptest::prelude::*;
use std::path::Path;
use terntable_gguf::{Array, ElementType, Error, Gguf, Value, Writer, bf16, f16, f32, q8_0, tq2_0};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u64>().prop_map(Value::U64),
        any::<f32>().prop_filter("a number", |v| !v.is_nan()).prop_map(Value::F32),
        any::<f64>().prop_filter("a number", |v| !v.is_nan()).prop_map(Value::F64),
        any::<bool>().prop_map(Value::Bool),
        ".{0,20}".prop_map(Value::String),
        proptest::collection::vec(".{0,5}", 0..9)
            .prop_map(|items| Value::Array(Array::strings(items.iter().map(String::as_str)))),
        proptest::collection::vec(any::<i32>(), 0..9)
            .prop_map(|items| Value::Array(Array::i32s(&items))),
    ]
}

fn write(writer: &Writer, path: &Path, tensors: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let mut body = writer.start(path)?;
    for (name, bytes) in tensors {
        // In two parts, as large tensors come.
        let (first, second) = bytes.split_at(bytes.len() / 3);
        body.append(name, first)?;
        body.append(name, second)?;
    }
    body.finish()
}

proptest! {
    #[test]
    fn keys_and_ternary_tensors(
        keys in proptest::collection::btree_map("[a-z.]{1,12}", value(), 0..12),
        matrices in proptest::collection::vec((1_u64..4, 1_u64..3, 1_u32..1000, any::<u64>()), 1..5),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let mut writer = Writer::new();
        keys.iter().for_each(|(key, value)| writer.key(format!("k.{key}"), value.clone()));
        let (mut tensors, mut expected) = (Vec::new(), Vec::new());
        for (index, (rows, blocks, scale, seed)) in matrices.into_iter().enumerate() {
            let (cols, name) = (256 * blocks, format!("tensor {index}"));
            let trit = |i: u64| ((seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as i8 % 3 - 1;
            let weights: Vec<i8> = (0..rows * cols).map(trit).collect();
            // A binary16 holds ten bits.
            let scale = scale as f32 / 512.0;
            writer.tensor(&name, ElementType::Tq2_0, &[cols, rows]);
            tensors.push((name, tq2_0(&weights, scale)));
            expected.push((weights, scale));
        }
        write(&writer, &path, &tensors).unwrap();
        let gguf = Gguf::open(&path).unwrap();
        prop_assert_eq!(gguf.keys().count(), keys.len());
        for (key, value) in &keys {
            let found = gguf.keys().find(|(found, _)| *found == format!("k.{key}")).unwrap().1;
            prop_assert_eq!(found, value);
        }
        for ((name, bytes), (weights, scale)) in tensors.iter().zip(&expected) {
            let tensor = gguf.tensor(name).unwrap();
            prop_assert_eq!(&gguf.bytes(tensor).unwrap(), bytes);
            let trits = gguf.trits(tensor).unwrap();
            prop_assert_eq!(&trits.weights, weights);
            if weights.iter().any(|w| *w != 0) {
                prop_assert_eq!(trits.scale, *scale);
            }
        }
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
    }

    #[test]
    fn real_tensors(values in proptest::collection::vec(-60000_f32..60000.0, 64)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let types = [ElementType::F32, ElementType::F16, ElementType::Bf16, ElementType::Q8_0];
        let encoded = [f32(&values), f16(&values), bf16(&values), q8_0(&values)];
        let mut writer = Writer::new();
        types.iter().for_each(|element| writer.tensor(element.name(), *element, &[32, 2]));
        let tensors: Vec<_> = types.iter().map(|t| t.name().to_string()).zip(encoded).collect();
        write(&writer, &path, &tensors).unwrap();
        let gguf = Gguf::open(&path).unwrap();
        let largest = |row: &[f32]| row.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for element in types {
            let tensor = gguf.tensor(element.name()).unwrap();
            for row in 0..2 {
                let found = gguf.rows(tensor, row..row + 1).unwrap();
                let source = &values[32 * row as usize..][..32];
                for (a, b) in found.iter().zip(source) {
                    let limit = match element {
                        ElementType::F32 => 0.0,
                        ElementType::F16 => b.abs() / 2048.0 + 1e-7,
                        ElementType::Bf16 => b.abs() / 256.0,
                        // Half a step, and the step rounded.
                        _ => largest(source) * (0.5 / 127.0 + 1.0 / 2048.0) + 1e-7,
                    };
                    prop_assert!((a - b).abs() <= limit, "{}: {a}, {b}", element);
                }
            }
        }
    }

    /// Any bytes after the magic, and a good file with any bytes in it.
    #[test]
    fn no_bytes_make_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        at in any::<prop::sample::Index>(),
        fixture in prop::sample::select(vec!["keys.gguf", "i2_s.gguf", "types.gguf"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut damaged = std::fs::read(fixtures.join(fixture)).unwrap();
        let start = at.index(damaged.len().min(1200));
        let short = bytes.len().min(9).min(damaged.len() - start);
        damaged[start..start + short].copy_from_slice(&bytes[..short]);
        for bytes in [[b"GGUF\x03\0\0\0", &bytes[..]].concat(), damaged] {
            std::fs::write(&path, bytes).unwrap();
            let Ok(gguf) = Gguf::open(&path) else { continue };
            let _ = gguf.dialect();
            for tensor in gguf.tensors() {
                let _ = gguf.rows(tensor, 0..tensor.rows());
                let _ = gguf.trits(tensor);
            }
        }
    }
}

#[test]
fn a_writer_refuses_what_it_was_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let mut writer = Writer::new();
    writer.tensor("a", ElementType::F32, &[2]);
    writer.tensor("b", ElementType::F32, &[1]);
    let refused = |result: Result<(), Error>, part: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    };
    refused(writer.start(&path).unwrap().append("b", &[0; 4]), "order is wrong");
    refused(writer.start(&path).unwrap().append("a", &[0; 12]), "expected 8");
    refused(writer.start(&path).unwrap().finish(), "not written");
    writer.tensor("c", ElementType::Tq2_0, &[100, 2]);
    refused(writer.start(&path).map(|_| ()), "multiple");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
