// What a browser can tell of a letter that lies open in it. Defines `probe`; its answers are lists of findings as text.

const probe = (() => {
  const text = (node) => node.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
  const elements = () => [...document.body.querySelectorAll("*"), document.body, document.documentElement];
  const shown = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";

  // [red, green, blue, alpha], 0–255 and 0–1, of a computed colour.
  const parts = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    const whole = colour.startsWith("color(srgb") ? 255 : 1; // as mixed colours are told
    return [red * whole, green * whole, blue * whole, alpha];
  };
  const linear = (byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  // CIE Lab (D65), there and back.
  const bend = (t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 * t + 16) / 116);
  const straight = (t) => (t ** 3 > 216 / 24389 ? t ** 3 : (116 * t - 16) / (24389 / 27));
  const WHITE = [0.95047, 1, 1.08883];
  const lab = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map(linear);
    const [x, y, z] = [
      0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0193 * r + 0.1192 * g + 0.9505 * b,
    ].map((value, at) => bend(value / WHITE[at]));
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  };
  const rgb = ([l, a, b]) => {
    const middle = (l + 16) / 116;
    const [x, y, z] = [middle + a / 500, middle, middle - b / 200].map((t, at) => straight(t) * WHITE[at]);
    return [
      3.2406 * x - 1.5372 * y - 0.4986 * z, -0.9689 * x + 1.8758 * y + 0.0415 * z, 0.0557 * x - 0.204 * y + 1.057 * z,
    ].map((c) => 255 * Math.min(1, Math.max(0, c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055)));
  };

  // How clients that turn colours round by themselves do it; `text` says whether it is a text's colour or a ground's.
  const TURNS = {
    // Outlook on the web: the formula of Microsoft's own editor, onto a ground of #333333.
    outlook: (l) => (100 - l) * ((100 - 21.247) / 100) + 21.247,
    // Gmail on iOS: everything, dark grounds too. Nobody has published how; this is the plainest way.
    everything: (l) => 100 - l,
    // Gmail on Android: light grounds become dark and dark texts light, the rest stays.
    halves: (l, isText) => ((isText ? l < 50 : l > 50) ? 100 - l : l),
  };
  const turned = (colour, turn, isText) => {
    const [red, green, blue, alpha] = parts(colour);
    const [l, a, b] = lab([red, green, blue]);
    return `rgba(${rgb([turn(l, isText), a, b]).map(Math.round)}, ${alpha})`;
  };

  // The colour behind an element's text: whatever grounds lie there, down to the canvas.
  const ground = (element, canvas) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = parts(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((under, [r, g, b, alpha]) =>
      [r, g, b].map((value, at) => value * alpha + under[at] * (1 - alpha)), canvas);
  };

  const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.replace(/[\s\u034f\u200c]/g, "") && shown(element)) {
        const inFront = !element.closest("style,script,title,[aria-hidden=true]");
        if (inFront) found.push([walker.currentNode, element]);
      }
    }
    return found;
  };
  let canvas = [255, 255, 255];

  return {
    width: () => document.documentElement.scrollWidth,
    words: () => document.body.innerText.split(/\s+/).join(" "),

    // Texts that stand out too little: 4.5, or 3 where they are large (WCAG 1.4.3). And the least that there is.
    weak() {
      let least = 21;
      const found = [];
      for (const [node, element] of texts()) {
        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const need = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
        const behind = ground(element, canvas);
        const [r, g, b] = parts(style.color);
        const measured = ratio([r, g, b], behind);
        least = Math.min(least, measured);
        if (measured < need) {
          found.push(`${measured.toFixed(2)} of ${style.color} on rgb(${behind.map(Math.round)}): ${text(node)}`);
        }
      }
      return { least, found };
    },

    // Does to the letter what a client does that turns its colours round. Clients change what is declared; what is
    // inherited follows. Outlook marks what it has changed, and lets rules of the letter that ask for the mark win.
    turn(way) {
      const looks = elements().map((element) => {
        const { color, backgroundColor, borderTopColor, borderLeftColor } = getComputedStyle(element);
        const inherits = element.parentElement && getComputedStyle(element.parentElement).color === color;
        return { element, color: inherits ? null : color, backgroundColor, borderTopColor, borderLeftColor };
      });
      for (const { element, color, ...grounds } of looks) {
        for (const [name, value] of Object.entries(grounds)) {
          if (parts(value)[3]) element.style[name] = turned(value, TURNS[way], false);
        }
        if (color) element.style.color = turned(color, TURNS[way], true);
        if (way === "outlook" && color) element.setAttribute("data-ogsc", color);
        if (way === "outlook" && parts(grounds.backgroundColor)[3]) {
          element.setAttribute("data-ogsb", grounds.backgroundColor);
        }
      }
      canvas = parts(turned("rgb(255, 255, 255)", TURNS[way], false)).slice(0, 3);
      document.documentElement.style.background = `rgb(${canvas})`;
    },

    // What would cost ink or fetch something.
    dark: () =>
      elements()
        .filter((element) => shown(element) && element.textContent.trim())
        .map((element) => [element, parts(getComputedStyle(element).backgroundColor)])
        .filter(([, colour]) => colour[3] > 0 && luminance(colour) < 0.18)
        .map(([element]) => `<${element.localName}> ${text(element)}`),
    pictures: () =>
      elements()
        .filter((element) =>
          element.matches("img,svg,picture,video,object,embed,iframe,input[type=image],[background]") ||
          getComputedStyle(element).backgroundImage !== "none" || getComputedStyle(element).listStyleImage !== "none")
        .map((element) => `<${element.localName}> ${text(element)}`),
    fetched: () => performance.getEntriesByType("resource").map((entry) => entry.name),

    // Links whose letters are too small to be pressed.
    small: () =>
      [...document.querySelectorAll("a[href]")]
        .filter((link) => shown(link) && parseFloat(getComputedStyle(link).fontSize) < 13)
        .map(text),
  };
})();
