/** How this meshctl came here: as a package, in a folder of its own, or as one executable file that has everything inside. */
export interface Installation {
  /** What an operator types to run it: `meshctl`, or `kubectl clustermesh` for the plugin of kubectl. */
  name: string;
  /** Program and first arguments that start it once more. */
  command: readonly [program: string, ...words: string[]];
  /** The folder of the package, with a slash at its end; absent where there is none. */
  folder?: string | undefined;
  /**
   * The text of a file of the package.
   * @param path below the package's root, with slashes, e.g. `templates/demo/service.yaml`
   * @throws Error when it is not there
   */
  read(path: string): Promise<string>;
}
