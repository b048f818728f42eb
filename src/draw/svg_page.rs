//! What all SVG pictures have in common: the document, its colours, and shapes.

use std::fmt::{self, Display, Write};

use crate::draw::options::Theme;
use crate::draw::page::{Page, page, width};
use crate::draw::palette;
use crate::memory::Memory;

/// The blank around a picture.
pub(super) const MARGIN: i64 = 16;
/// The distance of lines of text.
pub(super) const LINE: i64 = 18;
/// The middle of a title.
pub(super) const TITLE: i64 = 26;
/// About how wide a sign is, in tenths of a pixel, of usual and of small text.
const SIGN: usize = 66;
const SMALL_SIGN: usize = 60;

/// The colours of a background: behind all, texts, less striking texts, cells of several owners, cells that
/// stay, amounts, and texts on large amounts.
struct Background {
    behind: &'static str,
    text: &'static str,
    faint: &'static str,
    mixed: &'static str,
    stays: &'static str,
    amount: &'static str,
    on_amount: &'static str,
}

const LIGHT: Background = Background {
    behind: "#fff",
    text: "#1f2328",
    faint: "#59636e",
    mixed: "#d1d9e0",
    stays: "#eff2f5",
    amount: "#0072b2",
    on_amount: "#fff",
};

const DARK: Background = Background {
    behind: "#0d1117",
    text: "#e6edf3",
    faint: "#9198a1",
    mixed: "#3d444d",
    stays: "#212830",
    amount: "#56b4e9",
    on_amount: "#000",
};

/// A text of which no sign means something in SVG.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|sign| match sign {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            // No document of XML may have these.
            sign if sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}') => {
                f.write_str(" ")
            }
            sign => f.write_char(sign),
        })
    }
}

/// About how many pixels wide a text is.
pub(super) fn text_width(text: &str) -> i64 {
    (width(text).saturating_mul(SIGN) / 10) as i64
}

/// About how many pixels wide a small text is.
pub(super) fn small_width(text: &str) -> i64 {
    (width(text).saturating_mul(SMALL_SIGN) / 10) as i64
}

/// How many signs of usual text fit into some pixels.
pub(super) fn signs_in(pixels: i64) -> usize {
    let tenths = usize::try_from(pixels).unwrap_or(0).saturating_mul(10);
    tenths.checked_div(SIGN).unwrap_or(0)
}

/// The shapes of a picture, in the order in which they are drawn.
pub(super) struct Shapes {
    page: Page,
    /// A prefix of all names: a page of a browser or a notebook may have several pictures.
    id: String,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Shapes {
    /// No shapes yet, of a picture that is known by a number.
    pub(super) fn new(number: u64) -> Memory<Self> {
        let id = page!("s{:08x}", number as u32 ^ (number >> 32) as u32)?;
        Ok(Self { page: Page::default(), id })
    }

    /// Draws a box.
    pub(super) fn rect(
        &mut self, class: &str, (x, y): (i64, i64), (width, height): (i64, i64),
    ) -> Memory<()> {
        self.page.line(format_args!(
            "<path class=\"{class}\" d=\"M{x} {y}h{width}v{height}h-{width}z\"/>"
        ))
    }

    /// Draws a path.
    pub(super) fn path(&mut self, class: &str, path: &str) -> Memory<()> {
        if path.is_empty() {
            return Ok(());
        }
        self.page.line(format_args!("<path class=\"{class}\" d=\"{path}\"/>"))
    }

    /// Fills a path with the colour and the hatching of an owner.
    pub(super) fn owned(&mut self, owner: u32, path: &str) -> Memory<()> {
        self.path(&page!("c{}", palette::color_number(owner))?, path)?;
        match palette::hatch_number(owner) {
            0 => Ok(()),
            hatch => self.hatched(&page!("h{hatch}")?, path),
        }
    }

    /// Fills a path with a hatching.
    pub(super) fn hatched(&mut self, hatch: &str, path: &str) -> Memory<()> {
        let id = &self.id;
        self.page.line(format_args!("<path fill=\"url(#{id}{hatch})\" d=\"{path}\"/>"))
    }

    /// Writes a text. `y` is its middle.
    pub(super) fn text(
        &mut self, class: &str, (x, y): (i64, i64), anchor: Anchor, text: &str,
    ) -> Memory<()> {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " m",
            Anchor::End => " e",
        };
        // The middle of signs is about a third of their height above the line that they stand on.
        let y = y.saturating_add(4);
        let text = Escaped(text);
        self.page
            .line(format_args!("<text class=\"{class}{anchor}\" x=\"{x}\" y=\"{y}\">{text}</text>"))
    }

    /// Writes a text from bottom to top. `y` is its middle.
    pub(super) fn upright(&mut self, class: &str, (x, y): (i64, i64), text: &str) -> Memory<()> {
        let text = Escaped(text);
        self.page.line(format_args!(
            "<text class=\"{class} m\" transform=\"translate({x} {y})rotate(-90)\">{text}</text>"
        ))
    }

    /// Draws a box of a colour of which the background shows through.
    pub(super) fn shade(
        &mut self, (x, y): (i64, i64), (width, height): (i64, i64), percent: i128, title: &str,
    ) -> Memory<()> {
        let title = Escaped(title);
        self.page.line(format_args!(
            "<path class=\"am\" fill-opacity=\".{percent:02}\" d=\"M{x} {y}h{width}v{height}h-{width}z\">\
             <title>{title}</title></path>"
        ))
    }

    /// Appends what a pointer shows of all that was drawn in `draw`.
    pub(super) fn group(
        &mut self, title: &str, draw: impl FnOnce(&mut Self) -> Memory<()>,
    ) -> Memory<()> {
        self.page.put(format_args!("<g><title>{}</title>", Escaped(title)))?;
        draw(self)?;
        self.page.line("</g>")
    }

    /// The document.
    pub(super) fn into_svg(
        self, title: &str, (width, height): (i64, i64), theme: Theme,
    ) -> Memory<String> {
        let mut page = Page::default();
        let (id, title) = (&self.id, Escaped(title));
        page.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{id}\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             style=\"max-width:100%;height:auto\">"
        ))?;
        page.line(format_args!("<title>{title}</title>"))?;
        put_style(&mut page, id, theme)?;
        put_hatches(&mut page, id)?;
        page.line(format_args!(
            "<rect class=\"bg\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
        ))?;
        page.put(self.page.into_text())?;
        page.line("</svg>")?;
        Ok(page.into_text())
    }
}

/// The styles of a picture, which apply to no other one of the page.
fn put_style(page: &mut Page, id: &str, theme: Theme) -> Memory<()> {
    page.line("<style>")?;
    let fonts = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif";
    page.line(format_args!(".{id} text{{font:12px {fonts};font-variant-numeric:tabular-nums}}"))?;
    page.line(format_args!(".{id} .ti{{font-weight:600;font-size:15px}}"))?;
    page.line(format_args!(".{id} .sm{{font-size:11px}}"))?;
    page.line(format_args!(".{id} .m{{text-anchor:middle}}.{id} .e{{text-anchor:end}}"))?;
    for (number, color) in palette::colors().iter().enumerate() {
        let palette::Color { fill, ink, .. } = color;
        page.line(format_args!(
            ".{id} .c{number}{{fill:{fill}}}.{id} .l{number}{{fill:{ink};stroke:{fill};\
             stroke-width:4px;stroke-linejoin:round;paint-order:stroke}}"
        ))?;
    }
    match theme {
        Theme::Light => put_background(page, id, &LIGHT),
        Theme::Dark => put_background(page, id, &DARK),
        Theme::Auto => {
            put_background(page, id, &LIGHT)?;
            page.line("@media(prefers-color-scheme:dark){")?;
            put_background(page, id, &DARK)?;
            page.line("}")
        }
    }?;
    page.line("</style>")
}

fn put_background(page: &mut Page, id: &str, colors: &Background) -> Memory<()> {
    let Background { behind, text, faint, mixed, stays, amount, on_amount } = colors;
    page.line(format_args!(
        ".{id} .bg{{fill:{behind}}}.{id} text{{fill:{text}}}.{id} .fa{{fill:{faint}}}\
         .{id} .ln{{fill:none;stroke:{behind};stroke-width:2}}\
         .{id} .fr{{fill:none;stroke:{faint};stroke-width:1}}\
         .{id} .mx{{fill:{mixed}}}.{id} .st{{fill:{stays}}}.{id} .am{{fill:{amount}}}\
         .{id} .on{{fill:{on_amount}}}\
         .{id} .lb{{fill:{text};stroke:{behind};stroke-width:4px;stroke-linejoin:round;\
         paint-order:stroke}}.{id} .hs{{stroke:{faint}}}.{id} .hx{{stroke:{text}}}"
    ))?;
    // Labels on colours keep theirs, whatever comes before.
    for (number, color) in palette::colors().iter().enumerate() {
        page.put(format_args!(".{id} text.l{number}{{fill:{}}}", color.ink))?;
    }
    page.line(format_args!(".{id} text.fa{{fill:{faint}}}.{id} text.on{{fill:{on_amount}}}"))
}

/// Hatchings: of owners, of padding and gaps, and of overlaps.
fn put_hatches(page: &mut Page, id: &str) -> Memory<()> {
    page.line("<defs>")?;
    let hatches = [
        (
            "h1",
            "rotate(45)",
            "<path d=\"M3 0v8\" stroke=\"#000\" stroke-opacity=\".45\" stroke-width=\"2\"/>",
        ),
        (
            "h2",
            "rotate(-45)",
            "<path d=\"M3 0v8\" stroke=\"#fff\" stroke-opacity=\".7\" stroke-width=\"2\"/>",
        ),
        ("h3", "rotate(0)", "<circle cx=\"3\" cy=\"3\" r=\"1.5\" fill-opacity=\".5\"/>"),
        (
            "h4",
            "rotate(45)",
            "<path d=\"M3 0v8M0 3h8\" stroke=\"#000\" stroke-opacity=\".35\" stroke-width=\"1.5\"/>",
        ),
        ("gap", "rotate(45)", "<path class=\"hs\" d=\"M3 0v8\" stroke-width=\"1\"/>"),
        ("two", "rotate(45)", "<path class=\"hx\" d=\"M3 0v8M0 3h8\" stroke-width=\"2\"/>"),
    ];
    for (name, transform, shape) in hatches {
        page.line(format_args!(
            "<pattern id=\"{id}{name}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"{transform}\">{shape}</pattern>"
        ))?;
    }
    page.line("</defs>")
}

/// The class of a text on a cell.
pub(super) fn label_class(owner: Option<u32>) -> Memory<String> {
    match owner {
        Some(owner) => page!("l{}", palette::color_number(owner)),
        None => page!("lb"),
    }
}
