// What a person with weak eyes, a keyboard or a screen reader would stumble over, as sentences. WCAG 2.2, level AA.
() => {
  const found = [];
  const parse = text => {
    const rgb = text.match(/rgba?\(([^)]+)\)/);
    if (rgb) {
      const [r, g, b, a = 1] = rgb[1].split(/[\s,/]+/).filter(Boolean).map(Number);
      return [r, g, b, a];
    }
    const srgb = text.match(/color\(srgb ([^)]+)\)/);  // what color-mix() computes to
    if (srgb) {
      const [r, g, b, a = 1] = srgb[1].split(/[\s/]+/).filter(Boolean).map(Number);
      return [r * 255, g * 255, b * 255, a];
    }
    return null;
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const below = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour && colour[3] > 0) layers.push(colour);
      if (colour && colour[3] >= 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const opacity = element => {
    let value = 1;
    for (let at = element; at; at = at.parentElement) value *= Number(getComputedStyle(at).opacity);
    return value;
  };
  const shown = element => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({checkVisibilityCSS: true}) && opacity(element) > 0.05;
  };
  const name = element => `${element.tagName.toLowerCase()}.${[...element.classList].filter(c => c.startsWith('st') === false).slice(0, 3).join('.')}`;

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const words = walker.currentNode.textContent.trim();
    if (!words || seen.has(element) || !element || element.closest('style,script,noscript,title') || !shown(element)) continue;
    seen.add(element);
    if (element.closest(':disabled, [aria-disabled=true], [data-stale=true]')) continue;  // the standard leaves these out
    const style = getComputedStyle(element);
    const colour = parse(style.color);
    if (!colour) continue;
    const under = below(element);
    const seenColour = over([...colour.slice(0, 3), colour[3] * opacity(element)], under);
    const pixels = parseFloat(style.fontSize);
    const large = pixels >= 24 || (pixels >= 18.66 && Number(style.fontWeight) >= 700);
    const icon = element.closest('[data-testid="stIconMaterial"], [aria-hidden=true]');
    const least = large || icon ? 3 : 4.5;
    const ratio = contrast(seenColour, under);
    if (ratio < least - 0.01) found.push(`contrast ${ratio.toFixed(2)} below ${least}: “${words.slice(0, 40)}” (${name(element)})`);
  }

  const named = element => {
    if (element.getAttribute('aria-label')?.trim()) return true;
    const by = element.getAttribute('aria-labelledby');
    if (by && by.split(/\s+/).some(id => document.getElementById(id)?.textContent.trim())) return true;
    if ([...(element.labels ?? [])].some(label => label.textContent.trim())) return true;
    if (element.getAttribute('title')?.trim()) return true;
    const copy = element.cloneNode(true);
    copy.querySelectorAll('[data-testid="stIconMaterial"], [aria-hidden=true]').forEach(each => each.remove());
    return copy.textContent.trim() !== '' || [...element.querySelectorAll('img[alt]')].some(image => image.alt.trim());
  };
  const controls = 'button, a[href], input, textarea, select, summary, [role=button], [role=link], [role=checkbox], [role=radio], [role=combobox], [role=tab], [role=switch]';
  for (const each of document.querySelectorAll(controls)) {
    if (each.type === 'hidden' || !each.checkVisibility({checkVisibilityCSS: true})) continue;
    if (!named(each)) found.push(`no name: ${each.outerHTML.slice(0, 160)}`);
  }

  const wide = document.documentElement.clientWidth;
  for (const each of document.querySelectorAll('body *')) {
    const box = each.getBoundingClientRect();
    if (box.right <= wide + 1 || !shown(each) || each.closest('svg')) continue;
    let at = each.parentElement;
    while (at && !['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(at).overflowX)) at = at.parentElement;
    const page = !at || at === document.body || at === document.documentElement || at.matches('.stApp, [data-testid="stMain"], [data-testid="stAppViewContainer"]');
    if (page || at.getBoundingClientRect().right > wide + 1) found.push(`reaches ${Math.round(box.right - wide)} px beyond the window: ${name(each)} “${each.textContent.trim().slice(0, 30)}”`);
  }
  return [...new Set(found)];
}
