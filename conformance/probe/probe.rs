#[unsafe(no_mangle)] pub static plugin: u32 = 3;
