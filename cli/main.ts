console.log("ansatz");
