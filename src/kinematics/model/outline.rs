//! The outline of an XML text: its root, the elements directly inside, and how deep it goes.
//!
//! Knows nothing of URDF and judges nothing but depth: where the text is malformed the outline ends,
//! and the parser that reads it next says why.
//!
//! The parser recurses once a level, so that a text of nothing but opening tags overflows the stack,
//! which no caller survives; and its errors name no element. The outline cures both. It therefore cuts
//! a text into tags exactly as that parser does, oddities included: a `>` in an attribute's name does
//! not end the tag, a processing instruction ends at the first `>` after any `?`.

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Root and first level of an XML text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outline<'a> {
    /// The root's start tag; none in a text without elements.
    pub(super) root: Option<Tag<'a>>,
    /// The elements directly inside the root, as far as they are complete.
    pub(super) children: Vec<Child<'a>>,
}

/// An element directly inside the root.
#[derive(Debug, PartialEq)]
pub(super) struct Child<'a> {
    /// Its start tag.
    pub(super) tag: Tag<'a>,
    /// All of it.
    pub(super) text: &'a str,
}

/// The start tag of an element.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag<'a> {
    /// The element's name.
    pub(super) name: &'a str,
    /// The value of its `name` attribute, as it is written.
    pub(super) label: Option<&'a str>,
    /// All of it, brackets included.
    pub(super) text: &'a str,
    is_empty_element: bool,
}

/// The text nests deeper than was allowed.
#[derive(Debug, PartialEq)]
pub(super) struct TooDeep;

/// The outline of `text`, which must not nest more than `max_depth` elements.
pub(super) fn outline(text: &str, max_depth: usize) -> Result<Outline<'_>, TooDeep> {
    let mut found = Outline::default();
    let mut open: Vec<(usize, Tag<'_>)> = Vec::new();
    let mut at = 0;
    while let Some((start, markup)) = next_markup(text, at) {
        at = start + markup.len();
        let element = match markup {
            Markup::Other(_) => continue,
            Markup::Start(tag) => {
                if open.len() == max_depth {
                    return Err(TooDeep);
                }
                if open.is_empty() && found.root.is_some() {
                    break;
                }
                found.root.get_or_insert_with(|| tag.clone());
                if !tag.is_empty_element {
                    open.push((start, tag));
                    continue;
                }
                Some((start, tag))
            }
            Markup::End(_) => open.pop(),
        };
        match element {
            Some((start, tag)) if open.len() == 1 => {
                found.children.push(Child { tag, text: &text[start..at] });
            }
            Some(_) if !open.is_empty() => {}
            _ => break,
        }
    }
    Ok(found)
}

enum Markup<'a> {
    Start(Tag<'a>),
    End(usize),
    Other(usize),
}

impl Markup<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Start(tag) => tag.text.len(),
            Self::End(len) | Self::Other(len) => *len,
        }
    }
}

/// What the next `<` begins, and where that is; none where it is malformed or missing.
fn next_markup(text: &str, at: usize) -> Option<(usize, Markup<'_>)> {
    let start = at + text[at..].find('<')?;
    let rest = &text[start..];
    let markup = if let Some(instruction) = rest.strip_prefix("<?") {
        let question = instruction.find('?')?;
        Markup::Other(2 + question + past(&instruction[question..], ">")?)
    } else if let Some(comment) = rest.strip_prefix("<!--") {
        let dashes = past(comment, "--")?;
        comment[dashes..].starts_with('>').then_some(Markup::Other(4 + dashes + 1))?
    } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
        Markup::Other(9 + past(data, "]]>")?)
    } else if let Some(doctype) = rest.strip_prefix("<!DOCTYPE") {
        doctype.starts_with(SPACE).then_some(Markup::Other(9 + past(doctype, ">")?))?
    } else if rest.starts_with("<!") {
        return None;
    } else if let Some(name) = rest.strip_prefix("</") {
        let name_end = name.find(|c: char| c == '>' || SPACE.contains(&c))?;
        let close = name_end + name[name_end..].find(|c: char| !SPACE.contains(&c))?;
        name[close..].starts_with('>').then_some(Markup::End(2 + close + 1))?
    } else {
        Markup::Start(start_tag(rest)?)
    };
    Some((start, markup))
}

/// Where what follows the first `end` begins.
fn past(text: &str, end: &str) -> Option<usize> {
    text.find(end).map(|at| at + end.len())
}

/// The start tag at the beginning of `text`; none where it is malformed or unfinished.
fn start_tag(text: &str) -> Option<Tag<'_>> {
    // The first character belongs to the name whatever it is.
    let first = 1 + text[1..].chars().next()?.len_utf8();
    let mut at = first + text[first..].find(|c: char| matches!(c, '/' | '>') || SPACE.contains(&c))?;
    let name = &text[1..at];
    let mut label = None;
    loop {
        at += text[at..].find(|c: char| !SPACE.contains(&c))?;
        if text[at..].starts_with('>') {
            return Some(Tag { name, label, text: &text[..=at], is_empty_element: false });
        }
        if let Some(rest) = text[at..].strip_prefix('/') {
            rest.starts_with('>').then_some(())?;
            return Some(Tag { name, label, text: &text[..at + 2], is_empty_element: true });
        }
        let equals = at + text[at..].find('=')?;
        let quote = equals + 1 + text[equals + 1..].find(|c: char| !SPACE.contains(&c))?;
        let delimiter = text[quote..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let end = quote + 1 + text[quote + 1..].find(delimiter)?;
        if text[at..equals].trim_matches(SPACE) == "name" {
            label = Some(&text[quote + 1..end]);
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_and_its_children_are_found_between_comments_and_instructions() {
        let text = "<?xml version='1.0'?><!-- <x> --><!DOCTYPE robot><robot name=\"r\">\
                    <link name='a>b'/> <joint type = \"fixed\" name = 'j'><![CDATA[<y>]]><axis/></joint ></robot><z/>";
        let outline = outline(text, 3).unwrap();

        assert_eq!(outline.root.unwrap().label, Some("r"));
        let children: Vec<_> =
            outline.children.iter().map(|c| (c.tag.name, c.tag.label, c.text.len())).collect();
        assert_eq!(children, [("link", Some("a>b"), 18), ("joint", Some("j"), 64)]);
    }

    #[test]
    fn depth_counts_open_elements_only() {
        let siblings = format!("<a>{}</a>", "<b></b><b/>".repeat(1000));
        assert_eq!(outline(&siblings, 2).unwrap().children.len(), 2000);
        assert_eq!(outline("<a><b><c/></b></a>", 2), Err(TooDeep));
        assert_eq!(outline(&"<a>".repeat(1_000_000), 64), Err(TooDeep));
    }

    #[test]
    fn an_unfinished_text_has_an_unfinished_outline() {
        let whole = "<robot><link name=\"a\"/><joint name=\"j\"><!-- - --></joint></robot>";
        for end in 0..whole.len() {
            let children = outline(&whole[..end], 64).unwrap().children.len();
            assert!(children <= 2, "{children} of {}", &whole[..end]);
        }
    }
}
