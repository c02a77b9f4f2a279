# The store paths that a value names, with the derivations that make them.
#
# Nix knows of a string which derivations and outputs went into it (its context), but not which output path
# belongs to which: an output's path can be read from its derivation, which pure evaluation forbids, or from the text
# itself. So the text is searched, as Nix does when it scans what was built for references. What has
# been cut out of the text (a hash that became a tag) is therefore no root.
let
  # Nix's base 32 leaves out e, o, u and t.
  hashChars = "[0-9a-df-np-sv-z]";
  # The length is bounded because the regular expressions of Nix run out of stack on long matches.
  storeName = "${hashChars}{32}-[0-9a-zA-Z+._?=-]{1,211}";

  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;

  unique = list: builtins.attrNames (builtins.listToAttrs (map (name: { inherit name; value = null; }) list));

  withoutContext = builtins.unsafeDiscardStringContext;

  # Without its hash and the dash.
  nameOf = token: builtins.substring 33 (-1) token;

  leaves =
    value:
    if builtins.isString value then
      [ value ]
    else if builtins.isList value then
      builtins.concatMap leaves value
    else if builtins.isAttrs value then
      builtins.concatMap leaves (builtins.attrValues value)
    else
      [ ];

  tokensOf = text: unique (builtins.concatLists (builtins.filter builtins.isList (builtins.split "(${storeName})" text)));

  derivationName =
    drvPath:
    let
      base = nameOf (baseNameOf drvPath);
    in
    builtins.substring 0 (builtins.stringLength base - 4) base;

  # One entry for each output of the context.
  outputsOf =
    context:
    builtins.concatMap (
      drvPath:
      map (output: {
        inherit drvPath output;
        name = derivationName drvPath + (if output == "out" then "" else "-${output}");
      }) (context.${drvPath}.outputs or [ ])
    ) (builtins.attrNames context);

  # A source keeps its context, so that whoever prints it has it: Nix since 2.35 copies that of a flake or of its inputs to the store only
  # where a string with its context leads there, such as one that `nix eval` prints. Reading it builds nothing, unless its string names a derivation too.
  sourcesOf =
    leaf: context:
    map
      (path: {
        drvPath = null;
        output = null;
        outPath = if context.${path}.path or false then builtins.substring 0 0 leaf + path else path;
      })
      (builtins.filter (path: context.${path}.path or false || context.${path}.allOutputs or false) (
        builtins.attrNames context
      ));

  # Where two derivations of one name meet in one string, each is paired with each path: the engine, which may read
  # derivations, drops the wrong pairs.
  rootsOfLeaf =
    leaf:
    let
      context = builtins.getContext leaf;
      text = withoutContext leaf;
      tokens = tokensOf text;
      outputs = outputsOf context;
      names = map (entry: entry.name) outputs;
      sources = map baseNameOf (builtins.attrNames context);
      loose = builtins.filter (token: !(builtins.elem (nameOf token) names || builtins.elem token sources)) tokens;
      pathsOf =
        entry:
        let
          exact = builtins.filter (token: nameOf token == entry.name) tokens;
          # The text went on behind the path, as in "${drv}.txt".
          longer = builtins.filter (token: hasPrefix entry.name (nameOf token)) loose;
        in
        if exact != [ ] then
          exact
        else
          map (token: builtins.substring 0 (33 + builtins.stringLength entry.name) token) longer;
      # What stands for an output whose path is not known before it is built: a slash and 52 letters.
      hasPlaceholder = builtins.length (builtins.split "/(${hashChars}{52})" text) > 1;
      rootsOf =
        entry:
        let
          paths = pathsOf entry;
        in
        if paths == [ ] && hasPlaceholder then
          throw (
            "the path of ${entry.drvPath} is known only after it is built (a content-addressed or dynamic"
            + " derivation); images and disks need input-addressed derivations"
          )
        else
          map (token: {
            inherit (entry) drvPath output;
            outPath = "${builtins.storeDir}/${token}";
          }) paths;
    in
    if context == { } then [ ] else builtins.concatMap rootsOf outputs ++ sourcesOf leaf context;
in
{
  /**
    Roots of all strings in `value`, sorted, without doubles: `{ drvPath, output, outPath }`, where sources have
    neither derivation nor output, and alone have a context.

    # Type

    ```
    rootsOf :: any -> [{ drvPath :: string?, output :: string?, outPath :: string }]
    ```
  */
  rootsOf =
    value:
    let
      roots = builtins.concatMap rootsOfLeaf (leaves value);
      keyed = map (root: {
        name = "${withoutContext root.outPath} ${toString root.drvPath} ${toString root.output}";
        value = root;
      }) roots;
      byKey = builtins.listToAttrs keyed;
      made = builtins.listToAttrs (
        map (root: {
          name = withoutContext root.outPath;
          value = true;
        }) (builtins.filter (root: root.drvPath != null) roots)
      );
    in
    # A path that a derivation makes needs no second entry as a source.
    builtins.filter (root: root.drvPath != null || !(made ? ${withoutContext root.outPath})) (builtins.attrValues byKey);

  /**
    Roots for store paths, or paths below them, that were written without context (as plain text) and are none of
    `roots` yet.

    # Type

    ```
    plainRoots :: [root] -> [string] -> [root]
    ```
  */
  plainRoots =
    roots: paths:
    let
      storePathOf = path: builtins.head (builtins.match "(${builtins.storeDir}/[^/]+).*" path);
      isKnown = path: builtins.any (root: root.outPath == path) roots;
      inStore = builtins.filter (hasPrefix "${builtins.storeDir}/") (map withoutContext paths);
    in
    map (outPath: {
      drvPath = null;
      output = null;
      inherit outPath;
    }) (builtins.filter (path: !(isKnown path)) (unique (map storePathOf inStore)));
}
