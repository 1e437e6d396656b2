/** The least that the file of a server says. */
export const SERVER_FILE = `
listen: { port: 0 }
dataFolder: ./data
policyFolder: policy
identity:
  issuer: https://login.example.com/realms/ml
  clientId: oam-editor
  audience: urn:oam:control-plane
databricks:
  accountId: 0d3c8a4e-51b7-4f2e-9c66-2f6f0a7be101
  clientId: 6a1b2c3d-0c0e-4a11-9b1e-0a0a0a0a8001
  clientSecretEnv: OAM_CORE_CLIENT_SECRET
`;
