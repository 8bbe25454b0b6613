//! What a semantic robot description of MoveIt says of links that may touch.
//!
//! Reads `disable_collisions`, `disable_default_collisions` and `enable_collisions`, and nothing else of it.

use super::error::CollisionError;

/// The pairs of an SRDF, by the names of the links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Srdf {
    disabled: Vec<(String, String)>,
    disabled_by_default: Vec<String>,
    enabled: Vec<(String, String)>,
}

impl Srdf {
    /// Reads the text of an SRDF.
    ///
    /// # Errors
    /// Where it is no XML, or an entry lacks a link.
    pub fn read(text: &str) -> Result<Self, CollisionError> {
        let document =
            roxmltree::Document::parse(text).map_err(|error| CollisionError::Srdf(error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "robot" {
            let found = root.tag_name().name();
            return Err(CollisionError::Srdf(format!(
                "its outermost element must be <robot>, not <{found}>"
            )));
        }
        let mut srdf = Self::default();
        for element in root.children().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            let link = |attribute: &str| {
                let missing = || CollisionError::Srdf(format!("a <{name}> has no {attribute}"));
                element.attribute(attribute).map(str::to_owned).ok_or_else(missing)
            };
            match name {
                "disable_collisions" => srdf.disabled.push((link("link1")?, link("link2")?)),
                "enable_collisions" => srdf.enabled.push((link("link1")?, link("link2")?)),
                "disable_default_collisions" => srdf.disabled_by_default.push(link("link")?),
                _ => {}
            }
        }
        Ok(srdf)
    }

    /// The pairs of `links`, by their numbers, that may touch.
    pub(super) fn allowed(&self, links: &[String]) -> Vec<(usize, usize)> {
        let mut allowed = Vec::new();
        for (first, one) in links.iter().enumerate() {
            for (second, two) in links.iter().enumerate().skip(first + 1) {
                let is_in = |pairs: &[(String, String)]| {
                    pairs.iter().any(|(a, b)| (a == one && b == two) || (a == two && b == one))
                };
                let by_default = [one, two].iter().any(|link| self.disabled_by_default.contains(link));
                if is_in(&self.disabled) || (by_default && !is_in(&self.enabled)) {
                    allowed.push((first, second));
                }
            }
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Vec<String> {
        ["base", "arm", "hand"].map(str::to_owned).to_vec()
    }

    #[test]
    fn disabled_pairs_are_read_in_either_order_and_strangers_are_left_out() {
        let text = r#"<?xml version="1.0"?><robot name="r">
            <group name="arm"><chain base_link="base" tip_link="hand"/></group>
            <disable_collisions link1="arm" link2="base" reason="Adjacent"/>
            <disable_collisions link1="arm" link2="camera" reason="Never"/>
        </robot>"#;
        assert_eq!(Srdf::read(text).unwrap().allowed(&links()), [(0, 1)]);
    }

    #[test]
    fn a_link_that_is_off_by_default_is_so_with_all_but_those_it_is_on_for() {
        let text = r#"<robot><disable_default_collisions link="hand"/>
            <enable_collisions link1="base" link2="hand"/></robot>"#;
        assert_eq!(Srdf::read(text).unwrap().allowed(&links()), [(1, 2)]);
    }

    #[test]
    fn what_is_no_srdf_is_told_so() {
        let error = |text| Srdf::read(text).unwrap_err().to_string();
        assert!(error("robot").contains("cannot be read"));
        assert!(error("<sdf/>").contains("not <sdf>"));
        assert!(error(r#"<robot><disable_collisions link1="a"/></robot>"#).contains("has no link2"));
    }
}
