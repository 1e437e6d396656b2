import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import * as vscode from 'vscode';

import { CONTROL_PLANE_URL, EXTENSION } from '../../src/extension/product.ts';

const TARGET = vscode.ConfigurationTarget.Global;

describe("the company's proxy", () => {
  it('of the settings is what everything goes through, but what is on this machine', async () => {
    const asked: string[] = [];
    const proxy = createServer((_request, response) => response.writeHead(502).end());
    proxy.on('connect', ({ url }, socket) => {
      asked.push(url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    assert.ok(address !== null && typeof address === 'object');
    const http = vscode.workspace.getConfiguration('http');
    const own = vscode.workspace.getConfiguration(EXTENSION);
    const before = own.get<string>(CONTROL_PLANE_URL);
    try {
      await http.update('proxy', `http://127.0.0.1:${address.port}`, TARGET);
      await own.update(CONTROL_PLANE_URL, 'https://oam.example.invalid', TARGET);
      await vscode.commands.executeCommand(`${EXTENSION}.diagnose`);
      assert.deepEqual([...new Set(asked)], ['oam.example.invalid:443']);
      const report = vscode.window.activeTextEditor?.document.getText() ?? '';
      assert.match(report, /✓ Proxy and certificates: A proxy is set/);
      assert.match(report, /✗ Control plane: /);

      asked.length = 0;
      await own.update(CONTROL_PLANE_URL, before, TARGET);
      await vscode.commands.executeCommand(`${EXTENSION}.diagnose`);
      assert.deepEqual(asked, []);
      assert.match(vscode.window.activeTextEditor?.document.getText() ?? '', /✓ Control plane: It answers/);
    } finally {
      await own.update(CONTROL_PLANE_URL, before, TARGET);
      await http.update('proxy', undefined, TARGET);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
