# The codec of the layers. What is allowed stands in the schema alone.
let
  schema = builtins.fromJSON (builtins.readFile ../schema/image-definition.v1.json);
  inherit (schema.properties.compression) pattern description;
in
{
  /**
    Fails unless `value` is NAME or NAME:LEVEL as the schema has it.

    # Type

    ```
    compressionOf :: string -> string
    ```
  */
  compressionOf =
    value:
    if !(builtins.isString value) then
      throw "mkImage: compression: expected a string, got a ${builtins.typeOf value}; allowed are ${description}"
    else if builtins.match pattern value == null then
      throw "mkImage: compression: '${value}' is not a valid codec; expected ${description}"
    else
      value;
}
