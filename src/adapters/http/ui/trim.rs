//! What is served of our own scripts and styles: all but comments, indentation and spaces that mean nothing. Each line keeps
//! its number, so that a place in an error is the place in `web/`.

/// The languages differ in what a `/` may begin.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    Css,
    Script,
}

/// The text of the file `name` as it is served. Files of others in `vendor/` stay as they are, and so does what is not
/// understood.
pub(super) fn trimmed(name: &str, text: &[u8]) -> Option<Vec<u8>> {
    let language = match name.rsplit_once('.')?.1 {
        "css" => Language::Css,
        "js" => Language::Script,
        _ => return None,
    };
    if name.starts_with("vendor/") {
        return None;
    }
    let mut trimmer =
        Trimmer { language, rest: text, out: Vec::with_capacity(text.len()), depth: 0, templates: vec![] };
    trimmer.run()?;
    Some(trimmer.out)
}

struct Trimmer<'a> {
    language: Language,
    rest: &'a [u8],
    out: Vec<u8>,
    /// How many braces are open.
    depth: usize,
    /// The templates whose expression this is: the depth at which it ends, and whether the template is HTML.
    templates: Vec<(usize, bool)>,
}

impl Trimmer<'_> {
    /// `None` if something never ends.
    fn run(&mut self) -> Option<()> {
        let is_script = self.language == Language::Script;
        while let [first, after @ ..] = self.rest {
            match first {
                b'\n' => self.line(after),
                b' ' | b'\t' | b'\r' => {
                    self.rest = after;
                    self.space();
                }
                b'/' if after.starts_with(b"*") => self.comment()?,
                b'/' if is_script && after.starts_with(b"/") => self.skip_to(|byte| byte == b'\n'),
                b'/' if is_script && self.expects_a_value() => self.regex()?,
                b'"' | b'\'' => self.quoted(*first)?,
                b'`' if is_script => {
                    let is_html = self.last_word() == b"html";
                    self.take(1);
                    self.template(is_html)?;
                }
                b'}' if self.templates.last().is_some_and(|(depth, _)| *depth == self.depth) => {
                    let (_, is_html) = self.templates.pop()?;
                    self.take(1);
                    self.template(is_html)?;
                }
                byte => {
                    match byte {
                        b'{' => self.depth += 1,
                        b'}' => self.depth = self.depth.checked_sub(1)?,
                        _ => {}
                    }
                    if is_script && is_alone(*byte) && self.out.last() == Some(&b' ') {
                        self.out.pop();
                    }
                    self.take(1);
                }
            }
        }
        (self.depth == 0 && self.templates.is_empty()).then_some(())
    }

    /// Copies so many bytes.
    fn take(&mut self, count: usize) {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.out.extend_from_slice(taken);
        self.rest = rest;
    }

    fn skip_to(&mut self, end: impl Fn(u8) -> bool) {
        let length = self.rest.iter().position(|byte| end(*byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[length..];
    }

    /// A space, if it may part two words.
    fn space(&mut self) {
        let is_script = self.language == Language::Script;
        let means_nothing = |last: &u8| last.is_ascii_whitespace() || is_script && is_alone(*last);
        if !self.out.last().is_none_or(means_nothing) {
            self.out.push(b' ');
        }
    }

    /// A new line without what stands around it.
    fn line(&mut self, after: &[u8]) {
        if self.out.last() == Some(&b' ') {
            self.out.pop();
        }
        self.out.push(b'\n');
        self.rest = &self.rest[self.rest.len() - after.len()..];
    }

    fn comment(&mut self) -> Option<()> {
        let length = self.rest.get(2..)?.windows(2).position(|two| two == b"*/")? + 4;
        let (comment, rest) = self.rest.split_at(length);
        let lines = comment.iter().filter(|byte| **byte == b'\n').count();
        self.rest = rest;
        if lines == 0 {
            self.space();
        } else {
            if self.out.last() == Some(&b' ') {
                self.out.pop();
            }
            self.out.extend(std::iter::repeat_n(b'\n', lines));
        }
        Some(())
    }

    fn quoted(&mut self, quote: u8) -> Option<()> {
        let mut length = 1;
        loop {
            match self.rest.get(length)? {
                b'\\' => length += 1,
                b'\n' => return None,
                byte if *byte == quote => break,
                _ => {}
            }
            length += 1;
        }
        self.take(length + 1);
        Some(())
    }

    fn regex(&mut self) -> Option<()> {
        let (mut length, mut in_class) = (1, false);
        loop {
            match self.rest.get(length)? {
                b'\\' => length += 1,
                b'\n' => return None,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                _ => {}
            }
            length += 1;
        }
        self.take(length + 1);
        Some(())
    }

    /// The text of a template up to its end or its next expression. Indentation in HTML means nothing.
    fn template(&mut self, is_html: bool) -> Option<()> {
        loop {
            match self.rest {
                [b'`', ..] => break self.take(1),
                [b'\\', _, ..] => self.take(2),
                [b'$', b'{', ..] => {
                    self.take(2);
                    break self.templates.push((self.depth, is_html));
                }
                [b'\n', ..] => {
                    self.take(1);
                    if is_html {
                        self.skip_to(|byte| byte != b' ');
                    }
                }
                [_, ..] => self.take(1),
                [] => return None,
            }
        }
        Some(())
    }

    /// Whether a `/` here begins a regular expression, and does not divide.
    fn expects_a_value(&self) -> bool {
        let word = self.last_word();
        match self.out.trim_ascii_end().last() {
            None => true,
            Some(b')' | b']' | b'\'' | b'"' | b'`') => false,
            Some(_) if word.is_empty() => true,
            Some(_) => matches!(word, b"return" | b"typeof" | b"case" | b"in" | b"of" | b"await" | b"void"),
        }
    }

    /// The word that was written last, if nothing but space follows it.
    fn last_word(&self) -> &[u8] {
        let before = self.out.trim_ascii_end();
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
        let start = before.iter().rposition(|byte| !is_part(byte)).map_or(0, |last| last + 1);
        &before[start..]
    }
}

/// Signs of a script that need no space on either side.
fn is_alone(byte: u8) -> bool {
    matches!(
        byte,
        b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';' | b',' | b'=' | b'?' | b':' | b'&' | b'|' | b'>'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> String {
        String::from_utf8(trimmed("src/a.js", text.as_bytes()).expect(text)).unwrap()
    }

    #[test]
    fn comments_and_indentation_are_left_out_and_lines_keep_their_numbers() {
        let text =
            "// @ts-check\n/**\n * What\n */\nconst a = /** @type {any} */ (b); // why\n    c (d, 'e');\n";
        assert_eq!(script(text), "\n\n\n\nconst a=(b);\nc(d,'e');\n");
    }

    #[test]
    fn texts_stay_as_they_are() {
        for same in [
            "'a // b  /* c */'",
            r#""it\"s  \\""#,
            "`a  //  b\n   c`",
            r"`\`  ${a}  //`",
            r"/[/'\]]  \/\//.test(a)",
            "`${`  ${b}`}  `",
            "a+ +b",
            "x=-1",
            "return /  '/",
            "f(/  '/,a/b)",
        ] {
            assert_eq!(script(same), same);
        }
        assert_eq!(script("a / b // '\n/ c"), "a / b\n/ c");
        assert_eq!(script("`${ { a: 1 } }  `"), "`${{a:1}}  `");
    }

    #[test]
    fn the_indentation_of_html_is_left_out() {
        assert_eq!(
            script("html`<p>\n    a  b ${c ? html`\n  d` : 1}\n    </p>`"),
            "html`<p>\na  b ${c?html`\nd`:1}\n</p>`"
        );
    }

    #[test]
    fn a_style_keeps_the_spaces_between_its_words() {
        let text = b"/* why */\na  :hover {\n    b: c  d; /* 'e */\n}\n";
        assert_eq!(trimmed("app.css", text).unwrap(), b"\na :hover {\nb: c d;\n}\n");
    }

    #[test]
    fn what_is_not_ours_or_not_understood_stays() {
        assert_eq!(trimmed("vendor/a.js", b"  a"), None);
        assert_eq!(trimmed("a.svg", b"  a"), None);
        for broken in ["'a", "`a", "/* a", "{", "}", "`${a"] {
            assert_eq!(trimmed("src/a.js", broken.as_bytes()), None, "{broken}");
        }
    }
}
