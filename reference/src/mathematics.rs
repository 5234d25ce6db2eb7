//! The mathematical functions that the Lua interpreter takes from the C library.
//!
//! They stand here so that the programs need no shared `libm`: a mailfront is started once per
//! connection, and loading that library would cost a session without any Lua in it a tenth of its time.
#![allow(unsafe_code)]

/// Functions of one number under their C names. `no_mangle` counts as unsafe because a second function of
/// that name would be mistaken for it: each does what C says of it.
macro_rules! of_one_number {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(x: f64) -> f64 {
            libm::$name(x)
        })*
    };
}

of_one_number! { acos asin atan cos cosh exp log log10 sin sinh tan tanh }

/// As [`of_one_number`], of two.
macro_rules! of_two_numbers {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(x: f64, y: f64) -> f64 {
            libm::$name(x, y)
        })*
    };
}

of_two_numbers! { atan2 fmod pow }

#[unsafe(no_mangle)]
extern "C" fn ldexp(x: f64, exponent: i32) -> f64 {
    libm::ldexp(x, exponent)
}

/// # Safety
/// `exponent` is null or points to a place for a number, as C asks of the caller.
#[unsafe(no_mangle)]
unsafe extern "C" fn frexp(x: f64, exponent: *mut i32) -> f64 {
    let (fraction, power) = libm::frexp(x);
    // SAFETY: the caller's promise.
    if let Some(place) = unsafe { exponent.as_mut() } {
        *place = power;
    }
    fraction
}

/// # Safety
/// `whole` is null or points to a place for a number, as C asks of the caller.
#[unsafe(no_mangle)]
unsafe extern "C" fn modf(x: f64, whole: *mut f64) -> f64 {
    let (fraction, integral) = libm::modf(x);
    // SAFETY: the caller's promise.
    if let Some(place) = unsafe { whole.as_mut() } {
        *place = integral;
    }
    fraction
}

#[cfg(test)]
mod tests {
    /// Figures of other programs' making, as Lua shows them: what the interpreter calls are these functions.
    #[test]
    fn lua_computes_by_them() {
        let lua = mlua::Lua::new();
        for (expression, expected) in [
            ("math.acos(0.5)", "1.0471975511966"),
            ("math.asin(0.5)", "0.5235987755983"),
            ("math.atan(2)", "1.1071487177941"),
            ("math.atan2(-1, -2)", "-2.6779450445890"),
            ("math.cos(1)", "0.5403023058681"),
            ("math.cosh(1)", "1.5430806348152"),
            ("math.exp(1)", "2.7182818284590"),
            ("math.log(10)", "2.3025850929940"),
            ("math.log10(2)", "0.3010299956640"),
            ("math.sin(1)", "0.8414709848079"),
            ("math.sinh(1)", "1.1752011936438"),
            ("math.tan(1)", "1.5574077246549"),
            ("math.tanh(1)", "0.7615941559558"),
            ("math.fmod(-7, 3)", "-1.0000000000000"),
            ("2 ^ 0.5", "1.4142135623731"),
            ("math.ldexp(0.75, 4)", "12.0000000000000"),
            ("select(1, math.frexp(12))", "0.7500000000000"),
            ("select(2, math.frexp(12))", "4.0000000000000"),
            ("select(1, math.modf(-3.25))", "-3.0000000000000"),
            ("select(2, math.modf(-3.25))", "-0.2500000000000"),
        ] {
            let shown: String = lua.load(format!("return ('%.13f'):format({expression})")).eval().unwrap();
            assert_eq!(shown, expected, "{expression}");
        }
    }
}
