// Which rules of html-validate hold for letters, and which for pages. A rule that is off has its reason.

const presets = ["html-validate:recommended", "html-validate:a11y"];

export const page = {
  root: true,
  extends: presets,
  rules: {
    "doctype-style": "off", // `<!doctype html>` in lower case is the same doctype
    "no-implicit-button-type": "off", // each of our buttons sends its form, which is what the default means
    "long-title": "off", // a page is called what its comparisons are called; who lists pages cuts titles
    "form-dup-name": "off", // lists are sent by one name: the categories that were ticked, and those that were shown
  },
};

export const letter = {
  root: true,
  extends: presets,
  rules: {
    "doctype-style": "off", // as above
    "no-conditional-comment": "off", // Outlook on Windows reads them, and gets its columns from nowhere else
    "no-inline-style": "off", // many clients throw style sheets away
    "no-deprecated-attr": "off", // bgcolor, width, cellpadding: Word's engine reads them where it ignores CSS
    "void-style": "off", // the MJML compiler is an XML parser: <br/>
    "prefer-tbody": "off", // tables of layout have rows only, and each <tbody> takes bytes
    "prefer-native-element": ["error", { exclude: ["article"] }], // the compiler's frame: clients drop <article>
  },
};
