//! A checkpoint that torch wrote.

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../tests/data/checkpoints/plain/", $name)))
    };
}

/// The file that says what the checkpoint holds.
pub const METADATA: (&str, &[u8]) = fixture!(".metadata");

/// The files of items.
pub const ITEMS: [(&str, &[u8]); 3] =
    [fixture!("__0_0.distcp"), fixture!("__1_0.distcp"), fixture!("__2_0.distcp")];
