//! The steps of a case in playing order, repetitions written out.

use super::{
    model::{Act, Case, Expectation, Item, Step},
    text::{Pattern, Piece, Tail, Text},
};

/// All steps, in order.
pub fn steps(case: &Case) -> Vec<Step> {
    let mut steps = Vec::new();
    for item in &case.body {
        match item {
            Item::Step(step) => steps.push(step.clone()),
            Item::Repeat { count, body, .. } => {
                let body: Vec<&Step> = body.iter().filter_map(as_step).collect();
                for turn in 1..=*count {
                    steps.extend(body.iter().map(|step| turned(step, turn)));
                }
            }
            Item::Remark(_) | Item::Expect(_) => {}
        }
    }
    steps
}

/// All expectations, in order.
pub fn expectations(case: &Case) -> impl Iterator<Item = &Expectation> {
    case.body.iter().filter_map(|item| match item {
        Item::Expect(expectation) => Some(expectation),
        _ => None,
    })
}

fn as_step(item: &Item) -> Option<&Step> {
    match item {
        Item::Step(step) => Some(step),
        _ => None,
    }
}

/// A step of a repetition with its `${#}` filled in.
pub fn turned(step: &Step, turn: usize) -> Step {
    let mut step = step.clone();
    let number = turn.to_string().into_bytes();
    match &mut step.act {
        Act::Send(text) | Act::SendRaw(text) | Act::Beneath(text) => fill(text, &number),
        act => {
            if let Some(pattern) = act.pattern_mut() {
                fill_pattern(pattern, &number);
            }
        }
    }
    step
}

fn fill(text: &mut Text, number: &[u8]) {
    for piece in &mut text.0 {
        fill_piece(piece, number);
    }
}

fn fill_piece(piece: &mut Piece, number: &[u8]) {
    match piece {
        Piece::Variable(name) if name == "#" => *piece = Piece::Bytes(number.to_vec()),
        Piece::Netstring(netstring) => {
            netstring.content.iter_mut().for_each(|piece| fill_piece(piece, number));
        }
        _ => {}
    }
}

fn fill_pattern(pattern: &mut Pattern, number: &[u8]) {
    for part in &mut pattern.parts {
        if let super::text::Part::Text(piece) = part {
            fill_piece(piece, number);
        }
    }
    if let Tail::Wording(text) = &mut pattern.tail {
        fill(text, number);
    }
}
