//! The models, held against the reference with a few inputs; CI takes more.

use assert_cmd::Command;
use rstest::rstest;

#[rstest]
fn plugin_lists_do_as_the_model_says(#[values("1", "2", "3")] seed: &str) {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_suite"));
    suite.args(["prop", "plugin-list", "--cases", "60", "--seed", seed]).assert().success();
}
