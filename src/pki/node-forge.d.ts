declare module 'node-forge/lib/asn1.js';

/** What of forge is loaded: `asn1` and `util`, where `lib/asn1.js` is. */
declare module 'node-forge/lib/forge.js' {
  import forge from 'node-forge';
  export default forge;
}
