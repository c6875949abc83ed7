// Making elements without markup in strings: text stays text.

/**
 * An element with a class, properties, custom style properties and children.
 *
 * @param {string} tag
 * @param {object} [options]
 * @param {string} [options.class]
 * @param {Record<string, string | number>} [options.vars] custom properties, without `--`
 * @param {...(Node | string)} children
 */
export function element(tag, { class: className, vars = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(vars)) made.style.setProperty(`--${name}`, value);
  made.append(...children);
  return made;
}

/** Adds to a scrolling list and follows it, unless the user has scrolled away from its end. */
export function follow(list, change) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  change();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}
