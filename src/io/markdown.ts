/**
 * Texts of others (attributes of a flake, messages of Nix and of registries) as plain words of one line of Markdown: they
 * neither end a table's cell nor make links, images or HTML.
 */
export const plainMarkdown = (text: string): string => text.replace(/[\\|<>`*_[\]]/g, '\\$&').replace(/\s+/g, ' ');
