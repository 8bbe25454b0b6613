//! What every picture needs: a file that can be written, and a font that is the same on every machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use plotters::style::{FontStyle, register_font};

/// What a picture is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Svg,
    Png,
}

/// The name of a picture on a command line.
pub(super) fn file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg" | "png") => Ok(path),
        _ => Err("its name must end in .svg or .png".to_owned()),
    }
}

/// Makes the file, empty, and the font known; gives what its name says that it is.
pub(super) fn begin(file: &Path) -> anyhow::Result<Format> {
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .ok()
        .context("the font cannot be read")?;
    // A file that cannot be written says why; plotters' backends do not.
    std::fs::write(file, "")?;
    let is_svg = file.extension().is_some_and(|extension| extension == "svg");
    Ok(if is_svg { Format::Svg } else { Format::Png })
}
