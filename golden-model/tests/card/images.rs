//! What images are refused for, and what they cost.

use crate::rig::{built, random_model, small_card};
use terntable_golden::card::{
    build::{BuildOptions, build},
    config::CardConfig,
    image::SectionKind,
    program::ProgramKind,
};
use terntable_golden::model::{LinearNorms, Projection};

#[test]
fn models_that_do_not_fit_are_refused_with_the_reason() {
    let card = small_card();
    let refused = |change: &dyn Fn(&mut terntable_golden::model::Model)| {
        let mut model = random_model(1);
        change(&mut model);
        let options = BuildOptions::default();
        build(&model, &card, &options, &mut |_, _| {}).unwrap_err().to_string()
    };
    assert!(refused(&|m| m.config.head_dim = 24).contains("multiple of 8 and of 16"));
    assert!(refused(&|m| m.config.head_dim = 80).contains("HeadDimMax"));
    assert!(refused(&|m| m.config.hidden = 4096).contains("ResidualWords"));
    assert!(refused(&|m| m.config.intermediate = 4096).contains("WorkWords"));
    assert!(refused(&|m| m.config.heads = 16).contains("HeadsMax"));
    let linear_norms = refused(&|m| {
        let weights = Projection::ALL.map(|p| vec![1.0; m.config.shape(p).1]);
        m.layers[0].linear_norms = Some(LinearNorms { weights, eps: 1e-6 });
    });
    assert!(linear_norms.contains("use_rms_norm"), "{linear_norms}");
    let mixed = refused(&|m| {
        let mut other = m.layers[0].clone();
        other.ffn_sub_norm = match other.ffn_sub_norm {
            Some(_) => None,
            None => Some(vec![1.0; m.config.intermediate]),
        };
        m.layers.push(other);
    });
    assert!(mixed.contains("all layers alike"), "{mixed}");
    let without_eps = refused(&|m| {
        m.config.norm_eps = 0.0;
        m.layers.iter_mut().for_each(|layer| layer.ffn_sub_norm = None);
    });
    assert!(without_eps.contains("norm_eps is 0"), "{without_eps}");
}

#[test]
fn an_image_is_for_one_configuration() {
    let built = built(&random_model(1), None);
    let error = built.image.check_card(&CardConfig::named("kv260").unwrap()).unwrap_err();
    assert!(error.to_string().contains("sim-small"), "{error}");
}

#[test]
fn sections_add_up() {
    let built = built(&random_model(4), None);
    let header = &built.image.header;
    let bytes: u64 = header.sections.iter().map(|s| s.bytes).sum();
    assert!(header.image_bytes - bytes < 4096 * 10);
    assert!(header.bits_per_weight() > 1.58, "{}", header.bits_per_weight());
    for kind in ProgramKind::ALL {
        assert!(built.image.commands(kind).unwrap().len() >= 3);
    }
    assert_eq!(header.section(SectionKind::Checksums).bytes as usize, 4 * header.checked_pages());
}

/// The same model and choices give the same bytes.
#[test]
fn images_are_reproducible() {
    let [a, b] = [0, 1].map(|_| built(&random_model(9), None));
    assert_eq!(a.image.bytes(), b.image.bytes());
}
