//! Do the tests notice a broken unit? Each mutant is one edit in a copy of the RTL.
//!
//! `cargo test --release -p terntable-testbench --test attention -- --ignored`: every mutant is a
//! model of its own to build.

use super::{
    SMALL, WIDE, bench::Bench, distances_on, extremes_on, rows_on, scenes_on, short_heads_on,
    writer::Writer,
};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use terntable_testbench::build::workspace_root;

/// (what it breaks, file, text, instead)
const MUTANTS: [(&str, &str, &str, &str); 34] = [
    ("a mask's last bit", "tt_attention_visible.sv", "33'sd32", "33'sd31"),
    ("rows before the history", "tt_attention_visible.sv", "~({PageRows{1'b1}} << rest)", "'0"),
    ("saturation of scores", "tt_score_lane.sv", "? 24'h800001 :", "? 24'h7fffff :"),
    ("a word of the table", "tt_exp2_table.sv", "24'h800000", "24'h7fffff"),
    ("far weights", "tt_weight_lane.sv", "17'd23", "17'd22"),
    ("rounding of w", "tt_weight_lane.sv", "40'h400000", "40'h3fffff"),
    ("the bias of a cascade", "tt_dot_array.sv", "2 ** 17 - 2 ** 9", "2 ** 17"),
    (
        "the sign of an odd sum",
        "tt_dot_array.sv",
        "odds[19*c+:19]  = sum[36:18]",
        "odds[19*c+:19] = {sum[35], sum[35:18]}",
    ),
    ("the second half of the rows", "tt_attention_issue.sv", "cycle_q >= shape_i.words", "1'b0"),
    ("a query without its skew", "tt_dot_array.sv", ".Cycles(p)", ".Cycles(1)"),
    (
        "a tile that is still read",
        "tt_value_array.sv",
        "valid_q[Rows-1] && close_q[Rows-1]",
        "valid_q[0] && close_q[0]",
    ),
    ("X of the first page", "tt_attention_maxima.sv", "step_first_q || step_q", "step_q"),
    ("X without what is hidden", "tt_attention_maxima.sv", "step_visible_i[l] &&", ""),
    ("M of the first page", "tt_attention_maxima.sv", "score_first_q || score_q", "score_q"),
    ("infinite X * 256", "tt_attention_maxima.sv", ">= 8'd247", ">= 8'd248"),
    ("heads of one slot", "tt_attention_maxima.sv", "member_q == '0 ? Ask", "index_q == '0 ? Ask"),
    ("the store's end", "tt_attention_walk.sv", "<= ScoreWords;", "<= ScoreWords + 1;"),
    ("runs", "tt_attention_walk.sv", "slot_q.page_table == table_q", "1'b1"),
    ("rows of the longest slot", "tt_attention_walk.sv", "if (slot_rows > rows_q)", "if (1'b1)"),
    ("the next beat of a table", "tt_page_ids.sv", "&& tag1_q == tag;", ";"),
    ("a page table behind pages", "tt_kv_stream.sv", "before_q - 1'b1", "before_q"),
    ("rows across beats", "tt_kv_loader.sv", "(!straddle || beat_valid_i)", "1'b1"),
    ("a tile that is in use", "tt_kv_loader.sv", "|| values_free_q != '0);", "|| 1'b1);"),
    ("V steps of a busy tile", "tt_kv_loader.sv", "== ValueSteps && values_q;", "== ValueSteps;"),
    ("both words of a row", "tt_kv_spread.sv", "later_row_q    <= row_i;", "later_row_q    <= '0;"),
    ("a row of a beat and a half", "tt_kv_loader.sv", "(shape_i.half && row_q[0])", "1'b0"),
    ("the same query again", "tt_attention_issue.sv", "gap = 8'd4;", "gap = 8'd1;"),
    ("two items at once", "tt_attention.sv", "(items_q[1])", "(1'b0)"),
    ("the bank of an item", "tt_attention_walk.sv", "bank_q <= !bank_q;", ""),
    (
        "the head beside V",
        "tt_attention_walk.sv",
        "head_q + model_i.group : head_q",
        "head_q : head_q",
    ),
    ("who divides", "tt_attention.sv", "quotient_valid && owner_q", "quotient_valid"),
    (
        "a column word that is not there",
        "tt_attention_finish.sv",
        "running_q && held_q && room",
        "running_q && room",
    ),
    (
        "the place of a score",
        "tt_attention_scores.sv",
        "fetch_query.values && fetch_query.store",
        "fetch_query.values && !fetch_query.keys",
    ),
    ("no sum of e", "tt_attention_finish.sv", "zeros2_q[Latency] ?", "1'b0 ?"),
];

/// The same for the writer.
const WRITER_MUTANTS: [(&str, &str, &str, &str); 6] = [
    ("nibbles", "tt_kv_writer.sv", "kv_data_i[8*(Low+1) +: 4]", "kv_data_i[8*Low +: 4]"),
    ("strobes of a row before", "tt_kv_writer.sv", "strobe_q <= '0;", ""),
    ("a page outside", "tt_kv_writer.sv", "drop_q        <= page_q >=", "drop_q <= page_q >"),
    ("steps of V", "tt_kv_writer.sv", "(kv_value_i ? 40'(StepBytes) : '0)", "'0"),
    ("the row in its page", "tt_kv_writer.sv", "slot.row[RowBits-1:0]", "'0"),
    ("idle", "tt_kv_writer.sv", "&& pending_q == '0", ""),
];

#[test]
#[ignore = "builds a model for each mutant, minutes"]
fn every_mutant_of_attention_is_noticed() {
    // Rows across beats and short periods need wide beats.
    let (wide, narrow): (Vec<_>, Vec<_>) = MUTANTS
        .into_iter()
        .partition(|(_, file, ..)| ["tt_kv_loader.sv", "tt_attention_issue.sv"].contains(file));
    notice(&wide, |rtl| {
        let mut bench = Bench::of(rtl, WIDE, "mutant");
        scenes_on(&mut bench, WIDE, "mutant", 60, 130);
        short_heads_on(&mut bench);
    });
    notice(&narrow, |rtl| {
        let mut bench = Bench::of(rtl, SMALL, "mutant");
        scenes_on(&mut bench, SMALL, "mutant", 60, 130);
        extremes_on(&mut bench);
        distances_on(&mut bench, 23 * 256 - 20..23 * 256 + 20);
    });
}

#[test]
#[ignore = "builds a model for each mutant, minutes"]
fn every_mutant_of_the_writer_is_noticed() {
    notice(&WRITER_MUTANTS, |rtl| {
        let mut writer = Writer::of(rtl, SMALL, "mutant");
        rows_on(&mut writer, SMALL, "mutant");
    });
}

fn notice(mutants: &[(&str, &str, &str, &str)], run: impl Fn(&Path)) {
    let original = workspace_root().join("rtl");
    let copy = std::env::temp_dir().join(format!(
        "terntable-attention-{}-{}",
        std::process::id(),
        mutants.len()
    ));
    let mut survivors = Vec::new();
    for (what, file, text, instead) in mutants {
        copy_tree(&original, &copy);
        let path = copy.join("attention").join(file);
        let source = fs::read_to_string(&path).unwrap();
        assert!(source.contains(text), "{file} no longer holds `{text}`; adapt the mutant");
        fs::write(&path, source.replacen(text, instead, 1)).unwrap();
        match catch_unwind(AssertUnwindSafe(|| run(&copy))) {
            Err(_) => println!("{what}: noticed"),
            Ok(()) => survivors.push(what),
        }
    }
    drop(fs::remove_dir_all(&copy));
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
