/** The three variables that let Databricks' SDKs find the broker. They hold no token. */
export interface PointerEnvironment {
  readonly DATABRICKS_HOST: string;
  readonly DATABRICKS_AUTH_TYPE: 'metadata-service';
  readonly DATABRICKS_METADATA_SERVICE_URL: string;
}

/**
 * The pointer to a path of the broker. The type of sign-in is always named, because the SDKs differ in the order in
 * which they try them.
 *
 * @param place the workspace's origin and the path's address.
 */
export function pointerEnvironment(place: {
  readonly host: string;
  readonly url: string;
}): PointerEnvironment {
  return {
    DATABRICKS_HOST: place.host,
    DATABRICKS_AUTH_TYPE: 'metadata-service',
    DATABRICKS_METADATA_SERVICE_URL: place.url,
  };
}
